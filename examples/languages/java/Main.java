// A function in Java with nothing but what comes with it: it asks for events and answers them, over the Lambda Runtime API.
// AWS's own client (com.amazonaws:aws-lambda-java-runtime-interface-client) does the same and calls a handler.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;

public class Main {
    static final String API = "http://" + System.getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/";
    static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    static String handle(String event) {
        System.out.println("an event of " + event.length() + " characters");
        return "{\"language\": \"Java " + Runtime.version().feature() + "\", \"event\": " + event + "}";
    }

    public static void main(String[] arguments) throws Exception {
        while (true) {
            HttpRequest next = HttpRequest.newBuilder(URI.create(API + "next")).build();
            HttpResponse<String> event = CLIENT.send(next, BodyHandlers.ofString());
            String id = event.headers().firstValue("Lambda-Runtime-Aws-Request-Id").orElseThrow();
            try {
                send(id + "/response", handle(event.body()));
            } catch (RuntimeException error) {
                send(id + "/error", "{\"errorType\": \"" + error.getClass().getName() + "\", \"errorMessage\": \"failed\"}");
            }
        }
    }

    static void send(String path, String body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(API + path)).POST(BodyPublishers.ofString(body)).build();
        CLIENT.send(request, BodyHandlers.discarding());
    }
}
