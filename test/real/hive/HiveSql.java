import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Hive's JDBC driver for tests that are no Java.
 *
 * Reads a line `{"url", "sql"}` per statement from standard input and answers each with a line: `{"rows"}`, all values as
 * strings or null, or `{"error"}`.
 */
public class HiveSql {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static Connection connection;

  public static void main(String[] args) throws Exception {
    BufferedReader statements =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    System.out.println("ready");
    for (String line = statements.readLine(); line != null; line = statements.readLine()) {
      Map<?, ?> asked = JSON.readValue(line, Map.class);
      System.out.println(JSON.writeValueAsString(answer((String) asked.get("url"), (String) asked.get("sql"))));
    }
  }

  private static Map<String, Object> answer(String url, String sql) {
    try {
      if (connection == null) connection = DriverManager.getConnection(url, "hive", "");
      try (Statement statement = connection.createStatement()) {
        return Map.of("rows", statement.execute(sql) ? rowsOf(statement.getResultSet()) : List.of());
      }
    } catch (SQLException thrown) {
      return Map.of("error", String.valueOf(thrown.getMessage()));
    }
  }

  private static List<List<String>> rowsOf(ResultSet result) throws SQLException {
    List<List<String>> rows = new ArrayList<>();
    int columns = result.getMetaData().getColumnCount();
    while (result.next()) {
      List<String> row = new ArrayList<>();
      for (int column = 1; column <= columns; column++) row.add(result.getString(column));
      rows.add(row);
    }
    return rows;
  }
}
