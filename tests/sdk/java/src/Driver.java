import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Runs the Java SDKs by JSON lines.
 *
 * <p>In: {@code {"id":1,"op":"send",...}}. Out: {@code {"id":1,"result":...}} or {@code {"id":1,"error":"...","type":"..."}},
 * and {@code {"event":"message",...}} for whatever the SDKs call back with. Requests run at the same time; arguments: the
 * file of the CA. Ends with its standard input.
 */
public final class Driver {
    static final Gson GSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
    private static final PrintStream OUT = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, StandardCharsets.UTF_8);

    private Driver() {}

    static synchronized void say(JsonObject line) {
        OUT.println(GSON.toJson(line));
        OUT.flush();
    }

    /** One JSON object from names and values that alternate. */
    static JsonObject object(Object... pairs) {
        JsonObject made = new JsonObject();
        for (int at = 0; at < pairs.length; at += 2) {
            made.add((String) pairs[at], GSON.toJsonTree(pairs[at + 1]));
        }
        return made;
    }

    public static void main(String[] arguments) throws Exception {
        // What the SDKs print by themselves must not stand between the answers.
        System.setOut(System.err);
        Trust.everywhere(arguments[0]);
        Devices devices = new Devices(Trust.context(arguments[0]));
        Service service = new Service(Trust.context(arguments[0]));
        Objects objects = new Objects();
        ExecutorService workers = Executors.newCachedThreadPool();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonObject request = JsonParser.parseString(line).getAsJsonObject();
            workers.submit(() -> answer(devices, service, objects, request));
        }
        System.exit(0);
    }

    private static void answer(Devices devices, Service service, Objects objects, JsonObject request) {
        JsonObject answer = object("id", request.get("id"));
        try {
            String op = request.get("op").getAsString();
            Object result = op.startsWith("object") ? objects.run(op, request)
                : op.startsWith("service") ? service.run(op, request) : devices.run(op, request);
            answer.add("result", GSON.toJsonTree(result));
        } catch (Throwable error) {
            error.printStackTrace();
            answer.addProperty("error", String.valueOf(error.getMessage()));
            answer.addProperty("type", error.getClass().getSimpleName());
            answer.add("exception", objects.hold(error));
        }
        say(answer);
    }
}
