import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.connect.mirror.RemoteClusterUtils;

/**
 * Answers a line `bootstrap alias group` with what MirrorMaker 2's client library finds on that cluster:
 * `topic-partition=offset,… upstream,…`.
 */
public class TranslateOffsets {
  public static void main(String[] args) throws Exception {
    System.out.println("ready");
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ");
      System.out.println(answer(Map.of("bootstrap.servers", words[0]), words[1], words[2]));
    }
  }

  private static String answer(Map<String, Object> cluster, String alias, String group) {
    try {
      String offsets = RemoteClusterUtils.translateOffsets(cluster, alias, group, Duration.ofSeconds(60))
          .entrySet().stream()
          .map(one -> one.getKey() + "=" + one.getValue().offset())
          .sorted()
          .collect(Collectors.joining(","));
      return offsets + " " + String.join(",", RemoteClusterUtils.upstreamClusters(cluster));
    } catch (Exception error) {
      return "failed: " + error;
    }
  }
}
