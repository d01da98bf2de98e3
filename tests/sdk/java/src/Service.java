import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.microsoft.azure.sdk.iot.service.messaging.AcknowledgementType;
import com.microsoft.azure.sdk.iot.service.messaging.DeliveryAcknowledgement;
import com.microsoft.azure.sdk.iot.service.messaging.FeedbackRecord;
import com.microsoft.azure.sdk.iot.service.messaging.FileUploadNotificationProcessorClient;
import com.microsoft.azure.sdk.iot.service.messaging.FileUploadNotificationProcessorClientOptions;
import com.microsoft.azure.sdk.iot.service.messaging.IotHubServiceClientProtocol;
import com.microsoft.azure.sdk.iot.service.messaging.Message;
import com.microsoft.azure.sdk.iot.service.messaging.MessageFeedbackProcessorClient;
import com.microsoft.azure.sdk.iot.service.messaging.MessageFeedbackProcessorClientOptions;
import com.microsoft.azure.sdk.iot.service.messaging.MessagingClient;
import com.microsoft.azure.sdk.iot.service.messaging.MessagingClientOptions;
import com.microsoft.azure.sdk.iot.service.methods.DirectMethodRequestOptions;
import com.microsoft.azure.sdk.iot.service.methods.DirectMethodResponse;
import com.microsoft.azure.sdk.iot.service.methods.DirectMethodsClient;
import com.microsoft.azure.sdk.iot.service.twin.Twin;
import com.microsoft.azure.sdk.iot.service.twin.TwinClient;
import java.util.HashMap;
import java.util.Map;
import javax.net.ssl.SSLContext;

/** The service clients: C2D with feedback, file notifications, twins and methods. */
final class Service {
    private final SSLContext trust;
    private String connectionString;
    private MessagingClient messaging;

    Service(SSLContext trust) {
        this.trust = trust;
    }

    Object run(String op, JsonObject request) throws Exception {
        switch (op) {
            case "serviceOpen": return open(request);
            case "serviceSend": return send(request);
            case "serviceTwin": return twin(new TwinClient(connectionString).get(request.get("deviceId").getAsString()));
            case "servicePatch": return patch(request);
            case "serviceMethod": return method(request);
            default: throw new IllegalArgumentException(op);
        }
    }

    /** Opens the sender and, for as long as the program runs, the receivers of feedback and of file notifications. */
    private Object open(JsonObject request) throws Exception {
        connectionString = request.get("connectionString").getAsString();
        IotHubServiceClientProtocol protocol = IotHubServiceClientProtocol.valueOf(request.get("protocol").getAsString());
        messaging = new MessagingClient(connectionString, protocol, MessagingClientOptions.builder().sslContext(trust).build());
        messaging.open();
        new MessageFeedbackProcessorClient(connectionString, protocol, batch -> {
            for (FeedbackRecord record : batch.getRecords()) {
                Driver.say(Driver.object("event", "feedback", "messageId", record.getOriginalMessageId(),
                    "status", String.valueOf(record.getStatusCode()), "deviceId", record.getDeviceId(),
                    "generationId", record.getDeviceGenerationId(), "description", record.getDescription()));
            }
            return AcknowledgementType.COMPLETE;
        }, MessageFeedbackProcessorClientOptions.builder().sslContext(trust).build()).start();
        new FileUploadNotificationProcessorClient(connectionString, protocol, notification -> {
            Driver.say(Driver.object("event", "file", "deviceId", notification.getDeviceId(),
                "blobName", notification.getBlobName(), "blobUri", notification.getBlobUri(),
                "size", notification.getBlobSizeInBytes()));
            return AcknowledgementType.COMPLETE;
        }, FileUploadNotificationProcessorClientOptions.builder().sslContext(trust).build()).start();
        return true;
    }

    private Object send(JsonObject request) throws Exception {
        Message message = new Message(request.get("body").getAsString());
        message.setMessageId(request.get("messageId").getAsString());
        if (request.has("correlationId")) {
            message.setCorrelationId(request.get("correlationId").getAsString());
        }
        message.setDeliveryAcknowledgement(DeliveryAcknowledgement.Full);
        Map<String, String> app = new HashMap<>();
        request.getAsJsonObject("app").entrySet().forEach(entry -> app.put(entry.getKey(), entry.getValue().getAsString()));
        message.setProperties(app);
        String device = request.get("deviceId").getAsString();
        if (request.has("moduleId")) {
            messaging.send(device, request.get("moduleId").getAsString(), message);
        } else {
            messaging.send(device, message);
        }
        return true;
    }

    private static Object twin(Twin twin) {
        return Driver.object("etag", twin.getETag(), "tags", twin.getTags(), "desired", twin.getDesiredProperties(),
            "desiredVersion", twin.getDesiredProperties().getVersion(), "reported", twin.getReportedProperties(),
            "reportedVersion", twin.getReportedProperties().getVersion());
    }

    private Object patch(JsonObject request) throws Exception {
        Twin wanted = new Twin(request.get("deviceId").getAsString());
        for (Map.Entry<String, JsonElement> entry : request.getAsJsonObject("desired").entrySet()) {
            wanted.getDesiredProperties().put(entry.getKey(), Driver.GSON.fromJson(entry.getValue(), Object.class));
        }
        return twin(new TwinClient(connectionString).patch(wanted));
    }

    private Object method(JsonObject request) throws Exception {
        DirectMethodResponse answer = new DirectMethodsClient(connectionString).invoke(
            request.get("deviceId").getAsString(), request.get("method").getAsString(),
            DirectMethodRequestOptions.builder().payload(Driver.GSON.fromJson(request.get("payload"), Object.class))
                .methodResponseTimeoutSeconds(30).methodConnectTimeoutSeconds(5).build());
        return Driver.object("status", answer.getStatus(), "payload", answer.getPayloadAsJsonElement());
    }
}
