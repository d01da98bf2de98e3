import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.lang.reflect.Array;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Values between JSON and Java.
 *
 * <p>Into Java: strings also become enum constants, instants and durations, numbers also dates (in ms); {@code $ref} is an
 * object, {@code $class} a class, {@code $enum} a constant, {@code $bytes} base64, {@code $callback} an interface whose every
 * call is told as an event and answered with the next of its {@code answers} (the last of them stays).
 */
final class Values {
    /** The cost of what cannot be converted. */
    static final int NEVER = 1_000_000;

    private final Objects objects;

    Values(Objects objects) {
        this.objects = objects;
    }

    /** How far the value is from the type: 0 fits as it is. */
    int cost(JsonElement value, Class<?> type) {
        if (value.isJsonNull()) {
            return type.isPrimitive() ? NEVER : 0;
        }
        if (value.isJsonPrimitive()) {
            return cost(value.getAsJsonPrimitive(), type);
        }
        if (value.isJsonObject() && value.getAsJsonObject().has("$callback")) {
            return type.isInterface() ? 1 : NEVER;
        }
        Object made = made(value, type);
        return type.isInstance(made) ? (type == Object.class ? 2 : 0) : NEVER;
    }

    private static int cost(JsonPrimitive value, Class<?> type) {
        if (type == Object.class) {
            return 2;
        }
        if (value.isBoolean()) {
            return type == boolean.class || type == Boolean.class ? 0 : NEVER;
        }
        if (value.isString()) {
            boolean read = type.isEnum() || type == Instant.class || type == Duration.class;
            return type.isAssignableFrom(String.class) ? 0 : read ? 1 : NEVER;
        }
        if (type == int.class || type == Integer.class) {
            return 0;
        }
        boolean number = type == long.class || type == Long.class || type == double.class || type == Double.class
            || type == short.class || type == Short.class;
        return number || type == Date.class ? 1 : NEVER;
    }

    /** The value for a parameter of this type; only for what {@link #cost} allows. */
    @SuppressWarnings({"unchecked", "rawtypes"})
    Object made(JsonElement value, Class<?> type) {
        if (value.isJsonNull()) {
            return null;
        }
        if (value.isJsonArray()) {
            List<Object> made = new ArrayList<>();
            value.getAsJsonArray().forEach(item -> made.add(made(item, Object.class)));
            return made;
        }
        if (value.isJsonObject()) {
            return made(value.getAsJsonObject(), type);
        }
        JsonPrimitive plain = value.getAsJsonPrimitive();
        if (plain.isBoolean()) {
            return plain.getAsBoolean();
        }
        if (plain.isString()) {
            String text = plain.getAsString();
            return type.isEnum() ? Enum.valueOf((Class) type, text) : type == Instant.class ? Instant.parse(text)
                : type == Duration.class ? Duration.parse(text) : text;
        }
        if (type == Date.class) {
            return new Date(plain.getAsLong());
        }
        if (type == double.class || type == Double.class) {
            return plain.getAsDouble();
        }
        if (type == short.class || type == Short.class) {
            return plain.getAsShort();
        }
        boolean whole = !plain.getAsString().matches(".*[.eE].*");
        if (type == long.class || type == Long.class || (whole && plain.getAsLong() != plain.getAsInt())) {
            return plain.getAsLong();
        }
        return whole ? (Object) plain.getAsInt() : (Object) plain.getAsDouble();
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private Object made(JsonObject value, Class<?> type) {
        if (value.has("$ref")) {
            return objects.get(value.get("$ref").getAsInt());
        }
        if (value.has("$bytes")) {
            return Base64.getDecoder().decode(value.get("$bytes").getAsString());
        }
        if (value.has("$callback")) {
            return callback(value, type);
        }
        try {
            if (value.has("$class")) {
                return Class.forName(value.get("$class").getAsString());
            }
            if (value.has("$enum")) {
                return Enum.valueOf((Class) Class.forName(value.get("$enum").getAsString()), value.get("name").getAsString());
            }
        } catch (ClassNotFoundException error) {
            throw new IllegalArgumentException(error);
        }
        Map<String, Object> made = new HashMap<>();
        value.entrySet().forEach(entry -> made.put(entry.getKey(), made(entry.getValue(), Object.class)));
        return made;
    }

    private Object callback(JsonObject value, Class<?> type) {
        String name = value.get("$callback").getAsString();
        JsonArray answers = value.getAsJsonArray("answers");
        AtomicInteger calls = new AtomicInteger();
        return Proxy.newProxyInstance(type.getClassLoader() == null ? Values.class.getClassLoader() : type.getClassLoader(),
            new Class<?>[] {type}, (proxy, method, arguments) -> {
                if (method.getDeclaringClass() == Object.class) {
                    return ofEveryObject(proxy, method, arguments);
                }
                JsonArray shown = new JsonArray();
                for (int at = 0; arguments != null && at < arguments.length; at++) {
                    shown.add(shown(arguments[at]));
                }
                JsonObject event = Driver.object("event", "callback", "name", name, "method", method.getName());
                event.add("args", shown);
                Driver.say(event);
                int call = calls.getAndIncrement();
                return answers.isEmpty() ? null
                    : made(answers.get(Math.min(call, answers.size() - 1)), method.getReturnType());
            });
    }

    private static Object ofEveryObject(Object proxy, Method method, Object[] arguments) {
        switch (method.getName()) {
            case "equals": return proxy == arguments[0];
            case "hashCode": return System.identityHashCode(proxy);
            default: return "callback";
        }
    }

    /** A result as JSON: plain values and collections as they are, anything else, and the SDKs' own collections, as an object. */
    JsonElement shown(Object value) {
        if (value == null) {
            return JsonNull.INSTANCE;
        }
        if (value instanceof JsonElement) {
            return (JsonElement) value;
        }
        if (value instanceof Optional) {
            return shown(((Optional<?>) value).orElse(null));
        }
        if (value instanceof String || value instanceof Number || value instanceof Boolean) {
            return Driver.GSON.toJsonTree(value);
        }
        if (value instanceof Date) {
            return new JsonPrimitive(((Date) value).getTime());
        }
        if (value instanceof Enum) {
            return new JsonPrimitive(((Enum<?>) value).name());
        }
        if (value instanceof Instant || value instanceof OffsetDateTime || value instanceof Duration || value instanceof UUID) {
            return new JsonPrimitive(value.toString());
        }
        if (value instanceof byte[]) {
            return Driver.object("$bytes", Base64.getEncoder().encodeToString((byte[]) value));
        }
        if (value.getClass().isArray()) {
            JsonArray made = new JsonArray();
            for (int at = 0; at < Array.getLength(value); at++) {
                made.add(shown(Array.get(value, at)));
            }
            return made;
        }
        boolean plain = (value instanceof Map || value instanceof Collection) && !ofSdk(value);
        return plain ? collection(value) : objects.hold(value);
    }

    /** A collection with methods of its own. */
    private static boolean ofSdk(Object value) {
        return value.getClass().getName().startsWith("com.microsoft.") || value.getClass().getName().startsWith("com.azure.");
    }

    private JsonElement collection(Object value) {
        if (value instanceof Map) {
            JsonObject made = new JsonObject();
            ((Map<?, ?>) value).forEach((key, item) -> made.add(String.valueOf(key), shown(item)));
            return made;
        }
        JsonArray made = new JsonArray();
        ((Collection<?>) value).forEach(item -> made.add(shown(item)));
        return made;
    }
}
