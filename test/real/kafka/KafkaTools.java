import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.tools.TopicCommand;

/**
 * Runs Kafka's command line tools side by side in one process, since each would start a JVM of its own. A tool gets
 * what it would find in a process: its own standard streams, its own statics, an exit and shutdown hooks.
 *
 * Reads a line `{"id", "tool", "args", "input"}` per run from standard input, the tool as the name of its class, or
 * `{"id"}` to end one as SIGTERM would. Prints `{"id", "out"}` for each line that a tool prints, and `{"id", "code",
 * "err"}` when it has ended. Ends with its input.
 */
public class KafkaTools {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final PrintStream ANSWERS = System.out;
  private static final PrintStream ERRORS = System.err;
  private static final Map<Integer, Run> RUNS = new ConcurrentHashMap<>();

  /** The run that a thread belongs to: a tool's threads are started by its own. */
  private static final InheritableThreadLocal<Run> CURRENT = new InheritableThreadLocal<>();

  public static void main(String[] args) throws Exception {
    BufferedReader commands =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    System.setIn(new RoutedInput());
    System.setOut(routed(false));
    System.setErr(routed(true));
    Exit.setExitProcedure(KafkaTools::exit);
    Exit.setHaltProcedure(KafkaTools::exit);
    // A tool that exits past Kafka's own Exit takes all others along; each says how far it came.
    Thread last = new Thread(() -> RUNS.values().forEach(run -> run.answer(-1)));
    Runtime.getRuntime().addShutdownHook(last);
    say(Map.of("ready", true));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      JsonNode command = JSON.readTree(line);
      int id = command.get("id").asInt();
      if (command.has("tool")) {
        Run run = new Run(id, command);
        RUNS.put(id, run);
        run.start();
      } else if (RUNS.containsKey(id)) {
        RUNS.get(id).end();
      }
    }
    Runtime.getRuntime().halt(0);
  }

  /** Only an error that no tool expects gets its thread out of the tool; what it says on the way is not heard. */
  private static void exit(int code, String message) {
    Run run = CURRENT.get();
    if (message != null) System.err.println(message);
    if (run.code == null) run.code = code;
    run.exiting = Thread.currentThread();
    throw new Exited();
  }

  private static synchronized void say(Map<String, Object> answer) {
    try {
      ANSWERS.println(JSON.writeValueAsString(answer));
    } catch (Exception thrown) {
      throw new IllegalStateException(thrown);
    }
  }

  private static class Exited extends Error {
    private static final long serialVersionUID = 1;
  }

  private static class Run {
    final int id;
    final JsonNode command;
    final InputStream in;
    final ByteArrayOutputStream out = new ByteArrayOutputStream();
    final ByteArrayOutputStream err = new ByteArrayOutputStream();
    final ToolLoader loader = new ToolLoader();
    /** Apart from that of the hooks, which wait for the tool while it prints. */
    private final Object printing = new Object();
    volatile Integer code;
    volatile Thread exiting;
    private boolean hooked;

    Run(int id, JsonNode command) {
      this.id = id;
      this.command = command;
      in = new ByteArrayInputStream(command.get("input").asText().getBytes(StandardCharsets.UTF_8));
    }

    void start() {
      inThread(this::run);
    }

    void end() {
      inThread(this::runHooks);
    }

    private void inThread(Runnable step) {
      CURRENT.set(this);
      Thread thread = new Thread(step);
      thread.setDaemon(true);
      thread.setContextClassLoader(loader);
      thread.start();
      CURRENT.remove();
    }

    private void run() {
      try {
        String[] args = JSON.convertValue(command.get("args"), String[].class);
        Class<?> tool = loader.loadClass(command.get("tool").asText());
        tool.getMethod("main", String[].class).invoke(null, (Object) args);
      } catch (InvocationTargetException thrown) {
        if (!(thrown.getCause() instanceof Exited)) fail(thrown.getCause());
      } catch (Throwable thrown) {
        fail(thrown);
      }
      exiting = null;
      runHooks();
      System.out.flush();
      lineEnds();
      RUNS.remove(id);
      answer(code == null ? 0 : code);
    }

    void answer(int ended) {
      say(Map.of("id", id, "code", ended, "err", err.toString(StandardCharsets.UTF_8)));
    }

    private void fail(Throwable thrown) {
      thrown.printStackTrace();
      if (code == null) code = 1;
    }

    private synchronized void runHooks() {
      if (hooked) return;
      hooked = true;
      for (Thread hook : shutdownHooks()) {
        if (hook.getContextClassLoader() != loader) continue;
        Runtime.getRuntime().removeShutdownHook(hook);
        hook.start();
        try {
          hook.join();
        } catch (InterruptedException thrown) {
          throw new IllegalStateException(thrown);
        }
      }
    }

    void print(int one, boolean isError) {
      if (Thread.currentThread() == exiting) return;
      synchronized (printing) {
        if (isError) err.write(one);
        else if (one == '\n') lineEnds();
        else out.write(one);
      }
    }

    private void lineEnds() {
      synchronized (printing) {
        String line = out.toString(StandardCharsets.UTF_8);
        out.reset();
        if (!line.isEmpty()) say(Map.of("id", id, "out", line));
      }
    }
  }

  /** Those of all runs; Java tells nobody. */
  private static List<Thread> shutdownHooks() {
    try {
      Field hooks = Class.forName("java.lang.ApplicationShutdownHooks").getDeclaredField("hooks");
      hooks.setAccessible(true);
      return ((Map<?, ?>) hooks.get(null)).keySet().stream().map(Thread.class::cast).toList();
    } catch (ReflectiveOperationException thrown) {
      throw new IllegalStateException(thrown);
    }
  }

  /** Loads the tools anew for each run, as some count in statics, and everything else once. */
  private static class ToolLoader extends URLClassLoader {
    private static final String OWN = "org.apache.kafka.tools.";

    ToolLoader() {
      super(new URL[] {jar()}, KafkaTools.class.getClassLoader());
    }

    private static URL jar() {
      return TopicCommand.class.getProtectionDomain().getCodeSource().getLocation();
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (!name.startsWith(OWN) || name.startsWith(OWN + "api.")) return super.loadClass(name, resolve);
      synchronized (getClassLoadingLock(name)) {
        Class<?> loaded = findLoadedClass(name);
        return loaded == null ? findClass(name) : loaded;
      }
    }
  }

  private static PrintStream routed(boolean isError) {
    OutputStream out =
        new OutputStream() {
          @Override
          public void write(int one) {
            Run run = CURRENT.get();
            if (run == null) ERRORS.write(one);
            else run.print(one, isError);
          }
        };
    return new PrintStream(out, true, StandardCharsets.UTF_8);
  }

  private static class RoutedInput extends InputStream {
    @Override
    public int read() throws java.io.IOException {
      return CURRENT.get().in.read();
    }

    @Override
    public int available() throws java.io.IOException {
      return CURRENT.get().in.available();
    }
  }
}
