import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.ProtectionDomain;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import javax.crypto.SecretKey;
import jdk.internal.org.objectweb.asm.ClassReader;
import jdk.internal.org.objectweb.asm.ClassVisitor;
import jdk.internal.org.objectweb.asm.ClassWriter;
import jdk.internal.org.objectweb.asm.MethodVisitor;
import jdk.internal.org.objectweb.asm.Opcodes;

/**
 * A Java agent that writes the TLS secrets of a Java program, servers and clients alike, in the key log format of NSS.
 *
 * <pre>
 *   javac --add-exports java.base/jdk.internal.org.objectweb.asm=ALL-UNNAMED -d out KeyLog.java
 *   jar --create --file keylog.jar --manifest KeyLog.mf -C out .
 *   java -javaagent:keylog.jar=/run/keys.log -jar service.jar
 * </pre>
 *
 * All traffic keys of the JDK's own TLS come from one method, which gets the secret and the handshake: the agent adds a call at its
 * beginning. Secrets of TLS 1.3 carry their name as the key's algorithm; an older version's master secret is all there is. Tested
 * with OpenJDK 17. Programs that bring their own TLS (Netty with BoringSSL, Conscrypt) are not covered.
 */
public final class KeyLog {
    private static final String HOOK = "tapwire.keylog";
    private static final String PLACE = "sun/security/ssl/SSLTrafficKeyDerivation";
    private static final Map<String, String> LABELS = Map.of(
        "TlsClientHandshakeTrafficSecret", "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "TlsServerHandshakeTrafficSecret", "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "TlsClientAppTrafficSecret", "CLIENT_TRAFFIC_SECRET_0",
        "TlsServerAppTrafficSecret", "SERVER_TRAFFIC_SECRET_0",
        "TlsMasterSecret", "CLIENT_RANDOM");

    private final FileChannel file;

    private KeyLog(String path) throws Exception {
        file = FileChannel.open(Path.of(path), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    public static void premain(String path, Instrumentation instrumentation) throws Exception {
        if (path == null || path.isEmpty()) {
            throw new IllegalArgumentException("name the file: -javaagent:keylog.jar=/run/keys.log");
        }
        Module here = KeyLog.class.getModule();
        Map<String, Set<Module>> exports = Map.of("jdk.internal.org.objectweb.asm", Set.of(here));
        Map<String, Set<Module>> opens = Map.of("sun.security.ssl", Set.of(here));
        instrumentation.redefineModule(Object.class.getModule(), Set.of(), exports, opens, Set.of(), Map.of());
        // The JDK's classes cannot see an agent's: the system properties, a map of objects, are where both look.
        System.getProperties().put(HOOK, (BiConsumer<Object, Object>) new KeyLog(path)::write);
        instrumentation.addTransformer(new Hook());
    }

    private void write(Object handshake, Object secret) {
        try {
            SecretKey key = (SecretKey) secret;
            String label = LABELS.get(key.getAlgorithm());
            if (label == null || key.getEncoded() == null) {
                return;
            }
            byte[] random = (byte[]) field(field(handshake, "clientHelloRandom"), "randomBytes");
            HexFormat hex = HexFormat.of();
            String line = label + " " + hex.formatHex(random) + " " + hex.formatHex(key.getEncoded()) + "\n";
            file.write(ByteBuffer.wrap(line.getBytes(StandardCharsets.US_ASCII)));
        } catch (Exception unwritten) {
            // The program's own work goes on; the sensor says which connections it has no keys for.
        }
    }

    private static Object field(Object of, String name) throws Exception {
        for (Class<?> type = of.getClass(); type != null; type = type.getSuperclass()) {
            for (Field field : type.getDeclaredFields()) {
                if (field.getName().equals(name)) {
                    field.setAccessible(true);
                    return field.get(of);
                }
            }
        }
        throw new NoSuchFieldException(name);
    }

    private static final class Hook implements ClassFileTransformer {
        @Override
        public byte[] transform(ClassLoader loader, String name, Class<?> old, ProtectionDomain domain, byte[] code) {
            if (!PLACE.equals(name)) {
                return null;
            }
            ClassReader reader = new ClassReader(code);
            ClassWriter writer = new ClassWriter(reader, ClassWriter.COMPUTE_MAXS);
            reader.accept(new Methods(writer), 0);
            return writer.toByteArray();
        }
    }

    private static final class Methods extends ClassVisitor {
        Methods(ClassVisitor next) {
            super(Opcodes.ASM8, next);
        }

        @Override
        public MethodVisitor visitMethod(int access, String name, String type, String signature, String[] exceptions) {
            MethodVisitor method = super.visitMethod(access, name, type, signature, exceptions);
            boolean abstractOne = (access & Opcodes.ACC_ABSTRACT) != 0;
            return name.equals("createKeyDerivation") && !abstractOne && (access & Opcodes.ACC_SYNTHETIC) == 0
                ? new Entry(method) : method;
        }
    }

    /** At the method's beginning: {@code ((BiConsumer) System.getProperties().get(HOOK)).accept(handshake, secret)}. */
    private static final class Entry extends MethodVisitor {
        Entry(MethodVisitor next) {
            super(Opcodes.ASM8, next);
        }

        @Override
        public void visitCode() {
            super.visitCode();
            visitMethodInsn(Opcodes.INVOKESTATIC, "java/lang/System", "getProperties", "()Ljava/util/Properties;", false);
            visitLdcInsn(HOOK);
            visitMethodInsn(Opcodes.INVOKEVIRTUAL, "java/util/Properties", "get", "(Ljava/lang/Object;)Ljava/lang/Object;", false);
            visitTypeInsn(Opcodes.CHECKCAST, "java/util/function/BiConsumer");
            visitVarInsn(Opcodes.ALOAD, 1);
            visitVarInsn(Opcodes.ALOAD, 2);
            String accept = "(Ljava/lang/Object;Ljava/lang/Object;)V";
            visitMethodInsn(Opcodes.INVOKEINTERFACE, "java/util/function/BiConsumer", "accept", accept, true);
        }
    }
}
