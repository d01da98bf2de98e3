import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.BaseStream;

/**
 * Objects of the SDKs' classes, made and called by name, so that a test states the very calls that a user's program makes.
 *
 * <p>An object crosses as {@code {"$ref":number,"class":"its class"}}, plain values as {@link Values} says.
 */
final class Objects {
    private final Map<Integer, Object> held = new ConcurrentHashMap<>();
    private final AtomicInteger numbers = new AtomicInteger();
    private final Values values = new Values(this);

    JsonElement run(String op, JsonObject request) throws Throwable {
        JsonArray arguments = request.getAsJsonArray("args");
        switch (op) {
            case "objectNew": {
                Class<?> made = Class.forName(request.get("class").getAsString());
                Fit<Constructor<?>> fit = best(List.of(made.getConstructors()), arguments, made.getName());
                return values.shown(thrown(() -> fit.executable.newInstance(fit.arguments)));
            }
            case "objectStatic": return call(Class.forName(request.get("class").getAsString()), null, request, arguments);
            case "objectCall": {
                Object target = get(request.get("ref").getAsInt());
                return call(target.getClass(), target, request, arguments);
            }
            case "objectList": return list(get(request.get("ref").getAsInt()));
            default: throw new IllegalArgumentException(op);
        }
    }

    Object get(int number) {
        return held.get(number);
    }

    JsonObject hold(Object object) {
        int number = numbers.incrementAndGet();
        held.put(number, object);
        return Driver.object("$ref", number, "class", object.getClass().getSimpleName());
    }

    private JsonElement list(Object several) throws Exception {
        Iterator<?> items = several instanceof Iterable ? ((Iterable<?>) several).iterator()
            : several instanceof BaseStream ? ((BaseStream<?, ?>) several).iterator() : (Iterator<?>) several;
        JsonArray found = new JsonArray();
        while (items.hasNext()) {
            found.add(values.shown(items.next()));
        }
        return found;
    }

    private JsonElement call(Class<?> type, Object target, JsonObject request, JsonArray arguments) throws Throwable {
        String name = request.get("method").getAsString();
        List<Method> named = new ArrayList<>();
        for (Class<?> one : open(type)) {
            for (Method method : one.getMethods()) {
                if (method.getName().equals(name) && method.getDeclaringClass() == one
                        && (target != null || Modifier.isStatic(method.getModifiers()))) {
                    named.add(method);
                }
            }
        }
        Fit<Method> fit = best(named, arguments, type.getName() + "." + name);
        return values.shown(thrown(() -> fit.executable.invoke(target, fit.arguments)));
    }

    /** The class and all it extends and implements, as far as anyone may call them: many are hidden behind an interface. */
    private static Set<Class<?>> open(Class<?> type) {
        Set<Class<?>> found = new LinkedHashSet<>();
        for (Class<?> one = type; one != null; one = one.getSuperclass()) {
            found.add(one);
            for (Class<?> face : one.getInterfaces()) {
                found.addAll(open(face));
            }
        }
        found.removeIf(one -> !Modifier.isPublic(one.getModifiers())
            || !one.getModule().isExported(one.getPackageName()));
        return found;
    }

    private interface Call {
        Object make() throws ReflectiveOperationException;
    }

    /** What the SDK itself throws, not the reflection around it. */
    private static Object thrown(Call call) throws Throwable {
        try {
            return call.make();
        } catch (InvocationTargetException error) {
            throw error.getCause();
        }
    }

    /** An overload with the arguments as it takes them; `cost` is what had to be converted. */
    private static final class Fit<T extends Executable> {
        private final T executable;
        private final Object[] arguments;
        private final int cost;

        Fit(T executable, Object[] arguments, int cost) {
            this.executable = executable;
            this.arguments = arguments;
            this.cost = cost;
        }
    }

    /** The overload that these arguments fit with the least conversion. */
    private <T extends Executable> Fit<T> best(List<T> candidates, JsonArray arguments, String name) {
        Fit<T> best = null;
        for (T one : candidates) {
            Class<?>[] types = one.getParameterTypes();
            if (types.length != arguments.size()) {
                continue;
            }
            Object[] made = new Object[types.length];
            int cost = 0;
            for (int at = 0; at < types.length && cost < Values.NEVER; at++) {
                cost += values.cost(arguments.get(at), types[at]);
                made[at] = cost < Values.NEVER ? values.made(arguments.get(at), types[at]) : null;
            }
            if (cost < Values.NEVER && (best == null || cost < best.cost)) {
                best = new Fit<>(one, made, cost);
            }
        }
        if (best == null) {
            throw new IllegalArgumentException(name + " takes no such arguments: " + arguments);
        }
        return best;
    }
}
