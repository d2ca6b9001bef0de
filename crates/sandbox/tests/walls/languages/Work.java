// What functions do in Java, to see that the sandbox lets them.
import com.sun.net.httpserver.HttpServer;
import java.io.RandomAccessFile;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.file.*;
import java.security.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.IntStream;

public class Work {
    static void equal(Object found, Object expected) {
        if (!Objects.equals(found, expected)) throw new AssertionError(found + " instead of " + expected);
    }

    public static void main(String[] words) throws Exception {
        // files
        Path folder = Files.createTempDirectory("work");
        Path file = folder.resolve("file");
        Files.writeString(file, "x".repeat(100000));
        Files.copy(file, folder.resolve("copy"), StandardCopyOption.COPY_ATTRIBUTES);
        Files.move(folder.resolve("copy"), folder.resolve("moved"), StandardCopyOption.ATOMIC_MOVE);
        try (var access = new RandomAccessFile(file.toFile(), "rw"); var lock = access.getChannel().lock()) {
            var map = access.getChannel().map(FileChannel.MapMode.READ_WRITE, 0, 5);
            map.put("hello".getBytes());
            map.force();
        }
        try (var watch = folder.getFileSystem().newWatchService()) {
            folder.register(watch, StandardWatchEventKinds.ENTRY_CREATE);
            Files.createFile(folder.resolve("new"));
            if (watch.poll(60, TimeUnit.SECONDS) == null) throw new AssertionError("not watched");
        }
        // the network
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        var request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/"))
            .POST(HttpRequest.BodyPublishers.ofString("echo")).build();
        equal(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body(), "echo");
        server.stop(0);
        var local = UnixDomainSocketAddress.of(folder.resolve("socket"));
        try (var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(local); var client = SocketChannel.open(local);
             var accepted = listener.accept()) {
            client.write(ByteBuffer.wrap("x".getBytes()));
            equal(accepted.read(ByteBuffer.allocate(8)), 1);
        }
        try (var datagrams = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
            datagrams.send(new DatagramPacket(new byte[3], 3, datagrams.getLocalSocketAddress()));
            datagrams.receive(new DatagramPacket(new byte[8], 8));
        }
        InetAddress.getLocalHost();
        NetworkInterface.networkInterfaces().count();
        // processes and threads
        var process = new ProcessBuilder("/bin/sh", "-c", "echo child").start();
        equal(new String(process.getInputStream().readAllBytes()), "child\n");
        equal(process.waitFor(), 0);
        ProcessHandle.current().info();
        ProcessHandle.allProcesses().count();
        var pool = Executors.newFixedThreadPool(8);
        equal(pool.submit(() -> 7).get(), 7);
        pool.shutdown();
        equal(IntStream.range(0, 1000).parallel().sum(), 499500);
        // computing
        equal(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest()).substring(0, 8), "e3b0c442");
        KeyPairGenerator.getInstance("EC").generateKeyPair();
        SecureRandom.getInstanceStrong().nextInt();
        System.gc();
        System.out.println("works");
        System.exit(0);
    }
}
