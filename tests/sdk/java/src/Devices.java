import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.microsoft.azure.sdk.iot.device.ClientOptions;
import com.microsoft.azure.sdk.iot.device.DeviceClient;
import com.microsoft.azure.sdk.iot.device.FileUploadCompletionNotification;
import com.microsoft.azure.sdk.iot.device.FileUploadSasUriRequest;
import com.microsoft.azure.sdk.iot.device.FileUploadSasUriResponse;
import com.microsoft.azure.sdk.iot.device.InternalClient;
import com.microsoft.azure.sdk.iot.device.IotHubClientProtocol;
import com.microsoft.azure.sdk.iot.device.IotHubMessageResult;
import com.microsoft.azure.sdk.iot.device.Message;
import com.microsoft.azure.sdk.iot.device.MessageProperty;
import com.microsoft.azure.sdk.iot.device.ModuleClient;
import com.microsoft.azure.sdk.iot.device.MultiplexingClient;
import com.microsoft.azure.sdk.iot.device.MultiplexingClientOptions;
import com.microsoft.azure.sdk.iot.device.twin.DirectMethodResponse;
import com.microsoft.azure.sdk.iot.device.twin.Twin;
import com.microsoft.azure.sdk.iot.device.twin.TwinCollection;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLContext;

/** Device and module clients, by the names the test gives them. */
final class Devices {
    private static final int KEEP_ALIVE_SECONDS = 60;
    private static final int POLL_MILLISECONDS = 100;

    private final Map<String, InternalClient> clients = new ConcurrentHashMap<>();
    private final Map<String, MultiplexingClient> multiplexers = new ConcurrentHashMap<>();
    private final Set<String> abandoned = ConcurrentHashMap.newKeySet();
    private final SSLContext trust;

    Devices(SSLContext trust) {
        this.trust = trust;
    }

    Object run(String op, JsonObject request) throws Exception {
        String name = request.get("name").getAsString();
        switch (op) {
            case "open": return open(name, request);
            case "multiplex": return multiplex(name, request);
            case "close": return close(name);
            default: return run(op, name, clients.get(name), request);
        }
    }

    private Object run(String op, String name, InternalClient client, JsonObject request) throws Exception {
        switch (op) {
            case "send": return send(client, request);
            case "receive": return receive(name, client, request);
            case "twin": return twin(client.getTwin());
            case "patch": return client.updateReportedProperties(collection(request.getAsJsonObject("patch"))).getVersion();
            case "desired":
                client.subscribeToDesiredProperties((twin, context) -> Driver.say(Driver.object(
                    "event", "desired", "name", name, "version", twin.getDesiredProperties().getVersion(),
                    "desired", twin.getDesiredProperties().toJsonElement())), null);
                return true;
            case "methods":
                client.subscribeToMethods((method, payload, context) -> {
                    Driver.say(Driver.object("event", "method", "name", name, "method", method,
                        "payload", payload.getPayloadAsJsonElement()));
                    return new DirectMethodResponse(method.equals("refuse") ? 418 : 200, payload.getPayloadAsJsonElement());
                }, null);
                return true;
            case "uploadUri": return uploadUri((DeviceClient) client, request);
            case "uploadDone":
                ((DeviceClient) client).completeFileUpload(new FileUploadCompletionNotification(
                    request.get("correlationId").getAsString(), request.get("isSuccess").getAsBoolean(), 200, "by Java"));
                return true;
            default: throw new IllegalArgumentException(op);
        }
    }

    private static IotHubClientProtocol protocol(JsonObject request) {
        return IotHubClientProtocol.valueOf(request.get("protocol").getAsString());
    }

    private ClientOptions options() {
        return ClientOptions.builder().sslContext(trust).receiveInterval(POLL_MILLISECONDS)
            .keepAliveInterval(KEEP_ALIVE_SECONDS).build();
    }

    private Object open(String name, JsonObject request) throws Exception {
        String connection = request.get("connectionString").getAsString();
        InternalClient client = connection.contains(";ModuleId=")
            ? new ModuleClient(connection, protocol(request), options())
            : new DeviceClient(connection, protocol(request), options());
        client.open(false);
        clients.put(name, client);
        return true;
    }

    private Object multiplex(String name, JsonObject request) throws Exception {
        MultiplexingClient multiplexer = new MultiplexingClient(request.get("hostName").getAsString(), protocol(request),
            MultiplexingClientOptions.builder().sslContext(trust).keepAliveInterval(KEEP_ALIVE_SECONDS).build());
        List<DeviceClient> made = new ArrayList<>();
        for (JsonElement element : request.getAsJsonArray("devices")) {
            JsonObject device = element.getAsJsonObject();
            DeviceClient client = new DeviceClient(device.get("connectionString").getAsString(), protocol(request), options());
            made.add(client);
            clients.put(device.get("name").getAsString(), client);
        }
        multiplexers.put(name, multiplexer);
        multiplexer.open(false);
        multiplexer.registerDeviceClients(made);
        return multiplexer.getRegisteredDeviceCount();
    }

    private Object close(String name) {
        InternalClient client = clients.remove(name);
        if (client != null) {
            client.close();
        } else {
            multiplexers.remove(name).close();
        }
        return true;
    }

    private static Message message(JsonObject wanted) {
        Message made = new Message(Base64.getDecoder().decode(wanted.get("body").getAsString()));
        wanted.entrySet().forEach(field -> {
            JsonElement value = field.getValue();
            switch (field.getKey()) {
                case "messageId": made.setMessageId(value.getAsString()); break;
                case "correlationId": made.setCorrelationId(value.getAsString()); break;
                case "userId": made.setUserId(value.getAsString()); break;
                case "contentType": made.setContentType(value.getAsString()); break;
                case "contentEncoding": made.setContentEncoding(value.getAsString()); break;
                case "app":
                    for (JsonElement pair : value.getAsJsonArray()) {
                        JsonArray both = pair.getAsJsonArray();
                        made.setProperty(both.get(0).getAsString(), both.get(1).getAsString());
                    }
                    break;
                default: break;
            }
        });
        return made;
    }

    private static Object send(InternalClient client, JsonObject request) throws Exception {
        List<Message> messages = new ArrayList<>();
        request.getAsJsonArray("messages").forEach(wanted -> messages.add(message(wanted.getAsJsonObject())));
        if (request.has("batch")) {
            client.sendEvents(messages);
            return messages.size();
        }
        for (Message made : messages) {
            if (request.has("output")) {
                ((ModuleClient) client).sendEvent(made, request.get("output").getAsString());
            } else {
                client.sendEvent(made);
            }
        }
        return messages.size();
    }

    /** What to do with a message stands in its property "do"; an abandoned one is completed when it comes again. */
    private Object receive(String name, InternalClient client, JsonObject request) {
        com.microsoft.azure.sdk.iot.device.MessageCallback callback = (message, context) -> {
            IotHubMessageResult result = IotHubMessageResult.COMPLETE;
            String wanted = message.getProperty("do");
            if ("reject".equals(wanted)) {
                result = IotHubMessageResult.REJECT;
            } else if ("abandon".equals(wanted) && abandoned.add(name + " " + message.getMessageId())) {
                result = IotHubMessageResult.ABANDON;
            }
            List<String[]> app = new ArrayList<>();
            for (MessageProperty property : message.getProperties()) {
                app.add(new String[] {property.getName(), property.getValue()});
            }
            Driver.say(Driver.object("event", "message", "name", name, "result", result.name(),
                "body", new String(message.getBytes(), StandardCharsets.UTF_8), "messageId", message.getMessageId(),
                "correlationId", message.getCorrelationId(), "contentType", message.getContentType(),
                "contentEncoding", message.getContentEncoding(), "input", message.getInputName(), "app", app));
            return result;
        };
        if (client instanceof DeviceClient) {
            ((DeviceClient) client).setMessageCallback(callback, null);
        } else if (request.has("input")) {
            ((ModuleClient) client).setMessageCallback(request.get("input").getAsString(), callback, null);
        } else {
            ((ModuleClient) client).setMessageCallback(callback, null);
        }
        return true;
    }

    private static TwinCollection collection(JsonObject patch) {
        TwinCollection made = new TwinCollection();
        patch.entrySet().forEach(entry -> made.put(entry.getKey(), Driver.GSON.fromJson(entry.getValue(), Object.class)));
        return made;
    }

    private static Object twin(Twin twin) {
        return Driver.object("desired", twin.getDesiredProperties().toJsonElement(),
            "desiredVersion", twin.getDesiredProperties().getVersion(),
            "reported", twin.getReportedProperties().toJsonElement(),
            "reportedVersion", twin.getReportedProperties().getVersion());
    }

    private static Object uploadUri(DeviceClient client, JsonObject request) throws Exception {
        FileUploadSasUriResponse given = client.getFileUploadSasUri(
            new FileUploadSasUriRequest(request.get("blobName").getAsString()));
        return Driver.object("correlationId", given.getCorrelationId(), "uri", given.getBlobUri().toString(),
            "blobName", given.getBlobName());
    }
}
