/* A program for container images: what it is called with says what it is. Linked statically, so that it needs nothing beside it.
 *   api     speaks the Lambda Runtime API, and answers each event with what it sees of the world
 *   serve   is a web server on $PORT, and answers each request with the same
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;

static char world[65536];

static void add(const char *text) {
    size_t used = strlen(world);
    snprintf(world + used, sizeof world - used, "%s", text);
}

static void add_string(const char *text) {
    size_t used = strlen(world);
    if (used + 2 * strlen(text) + 8 > sizeof world) return;
    char *at = world + used;
    *at++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') *at++ = '\\';
        if ((unsigned char)*text >= ' ') *at++ = *text;
    }
    *at++ = '"';
    *at = 0;
}

static void look(int count, char **words) {
    char folder[4096];
    world[0] = 0;
    add("{\"arguments\":[");
    for (int i = 0; i < count; i++) { if (i) add(","); add_string(words[i]); }
    add("],\"directory\":");
    add_string(getcwd(folder, sizeof folder) ? folder : "?");
    add(",\"uid\":");
    snprintf(folder, sizeof folder, "%d", (int)getuid());
    add(folder);
    add(",\"environment\":{");
    for (char **one = environ; *one; one++) {
        char *equals = strchr(*one, '=');
        if (!equals) continue;
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)(equals - *one), *one);
        if (one != environ) add(",");
        add_string(name); add(":"); add_string(equals + 1);
    }
    add("},\"root\":[");
    DIR *root = opendir("/");
    struct dirent *entry;
    int first = 1;
    while (root && (entry = readdir(root))) {
        if (entry->d_name[0] == '.') continue;
        if (!first) add(",");
        first = 0;
        add_string(entry->d_name);
    }
    if (root) closedir(root);
    add("],\"writes\":{");
    const char *places[] = {"/new", "/etc/new", "/app/new", "/tmp/new"};
    for (int i = 0; i < 4; i++) {
        FILE *file = fopen(places[i], "w");
        if (i) add(",");
        add_string(places[i]); add(file ? ":true" : ":false");
        if (file) fclose(file);
    }
    add("},\"file\":");
    FILE *file = fopen("/app/file", "r");
    char line[256] = "";
    if (file) { if (!fgets(line, sizeof line, file)) line[0] = 0; fclose(file); }
    add_string(line);
    add("}");
}

/* Reads one message: its head into `head`, and the rest of its body away. */
static int message(int peer, char *head, size_t room) {
    size_t used = 0;
    char *end = NULL;
    while (used + 1 < room && !end) {
        ssize_t got = read(peer, head + used, room - 1 - used);
        if (got <= 0) return -1;
        used += got;
        head[used] = 0;
        end = strstr(head, "\r\n\r\n");
    }
    if (!end) return -1;
    char *length = strcasestr(head, "content-length:");
    long left = length && length < end ? atol(length + 15) : 0;
    left -= used - (end + 4 - head);
    char away[4096];
    while (left > 0) {
        ssize_t got = read(peer, away, left > (long)sizeof away ? sizeof away : (size_t)left);
        if (got <= 0) return -1;
        left -= got;
    }
    return 0;
}

static int say(int peer, const char *head) {
    char text[70000];
    int length = snprintf(text, sizeof text, "%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", head, strlen(world), world);
    return write(peer, text, length) == length ? 0 : -1;
}

static int api(int count, char **words) {
    char host[256];
    snprintf(host, sizeof host, "%s", getenv("AWS_LAMBDA_RUNTIME_API"));
    char *colon = strrchr(host, ':');
    if (!colon) return 2;
    *colon = 0;
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(atoi(colon + 1))};
    inet_pton(AF_INET, host, &place.sin_addr);
    int peer = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(peer, (struct sockaddr *)&place, sizeof place)) return 3;
    for (;;) {
        char head[65536], answer[512];
        const char *ask = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n\r\n";
        if (write(peer, ask, strlen(ask)) < 0 || message(peer, head, sizeof head)) return 4;
        char *id = strcasestr(head, "lambda-runtime-aws-request-id:");
        if (!id) return 5;
        id += 30;
        while (*id == ' ') id++;
        id[strcspn(id, "\r\n")] = 0;
        look(count, words);
        snprintf(answer, sizeof answer, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: api\r\n", id);
        if (say(peer, answer) || message(peer, head, sizeof head)) return 6;
    }
}

static int serve(int count, char **words) {
    int door = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT")))};
    if (bind(door, (struct sockaddr *)&place, sizeof place) || listen(door, 16)) return 3;
    for (;;) {
        char head[65536];
        int peer = accept(door, NULL, NULL);
        if (peer < 0) return 4;
        look(count, words);
        while (!message(peer, head, sizeof head) && !say(peer, "HTTP/1.1 200 OK\r\n")) {}
        close(peer);
    }
}

int main(int count, char **words) {
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("begins\n");
    if (count > 1 && !strcmp(words[1], "api")) return api(count, words);
    if (count > 1 && !strcmp(words[1], "serve")) return serve(count, words);
    return 1;
}
