import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.PrivilegedExceptionAction;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.util.ReflectionUtils;
import org.apache.hadoop.util.Tool;
import org.apache.hadoop.util.ToolRunner;

/**
 * Runs Hadoop's command line tools one after the other in one process, since each would start a JVM of its own.
 *
 * Reads a line `{"user", "tool", "args"}` per command from standard input, the tool as the name of its class, and
 * answers each with a line `{"code", "out", "err"}`.
 */
public class HadoopTools {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Map<String, UserGroupInformation> USERS = new HashMap<>();

  public static void main(String[] args) throws Exception {
    PrintStream answers = System.out;
    BufferedReader commands =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    answers.println("ready");
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      answers.println(JSON.writeValueAsString(answer(JSON.readTree(line))));
    }
  }

  private static Map<String, Object> answer(JsonNode command) throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
    int code;
    try {
      code = run(command);
    } catch (Exception thrown) {
      code = -1;
      thrown.printStackTrace();
    }
    return Map.of(
        "code", code,
        "out", out.toString(StandardCharsets.UTF_8),
        "err", err.toString(StandardCharsets.UTF_8));
  }

  private static int run(JsonNode command) throws Exception {
    String[] args = JSON.convertValue(command.get("args"), String[].class);
    UserGroupInformation user =
        USERS.computeIfAbsent(command.get("user").asText(), UserGroupInformation::createRemoteUser);
    return user.doAs(
        (PrivilegedExceptionAction<Integer>)
            () -> {
              Configuration conf = new HdfsConfiguration();
              Class<?> tool = Class.forName(command.get("tool").asText());
              return ToolRunner.run(conf, (Tool) ReflectionUtils.newInstance(tool, conf), args);
            });
  }
}
