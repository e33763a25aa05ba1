import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.filter2.compat.FilterCompat;
import org.apache.parquet.filter2.predicate.FilterApi;
import org.apache.parquet.filter2.predicate.FilterPredicate;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.example.GroupReadSupport;
import org.apache.parquet.io.api.Binary;

/**
 * Reads Parquet files as Java does. Lines of the input, answered by a line each:
 *
 * digest FILE: SHA-256 over all rows, a line each, values separated by commas: ~ for null, numbers in decimal, doubles by
 * their bits, strings by their bytes in hexadecimal.
 *
 * count FILE COLUMN eq|lt|gt TYPE VALUE: rows for which that holds, where row groups, pages and dictionaries are pruned.
 */
public class ParquetMr {
  public static void main(String[] arguments) throws Exception {
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    System.out.println("ready");
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] words = line.split(" ");
      String answer;
      try {
        answer = words[0].equals("digest") ? digest(words[1]) : String.valueOf(count(words));
      } catch (Exception error) {
        answer = "error " + error;
      }
      System.out.println(answer.replace('\n', ' '));
    }
  }

  private static ParquetReader.Builder<Group> open(String file) {
    var configuration = new Configuration(false);
    configuration.setBoolean("parquet.page.verify-checksum.enabled", true);
    return ParquetReader.builder(new GroupReadSupport(), new Path("file://" + file)).withConf(configuration);
  }

  private static String digest(String file) throws Exception {
    var digest = MessageDigest.getInstance("SHA-256");
    try (var reader = open(file).build()) {
      for (Group row = reader.read(); row != null; row = reader.read()) {
        var text = new StringBuilder();
        for (int column = 0; column < row.getType().getFieldCount(); column++) {
          text.append(column == 0 ? "" : ",").append(row.getFieldRepetitionCount(column) == 0 ? "~" : text(row, column));
        }
        digest.update(text.append('\n').toString().getBytes(StandardCharsets.UTF_8));
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static String text(Group row, int column) {
    switch (row.getType().getType(column).asPrimitiveType().getPrimitiveTypeName()) {
      case BINARY:
        return HexFormat.of().formatHex(row.getBinary(column, 0).getBytes());
      case DOUBLE:
        return Long.toHexString(Double.doubleToRawLongBits(row.getDouble(column, 0)));
      default:
        return row.getValueToString(column, 0);
    }
  }

  private static long count(String[] words) throws Exception {
    long rows = 0;
    try (var reader = open(words[1]).withFilter(FilterCompat.get(predicate(words[2], words[3], words[4], words[5]))).build()) {
      while (reader.read() != null) rows++;
    }
    return rows;
  }

  private static FilterPredicate predicate(String name, String operator, String type, String value) {
    switch (type) {
      case "int32": {
        var column = FilterApi.intColumn(name);
        int sample = Integer.parseInt(value);
        return switch (operator) {
          case "eq" -> FilterApi.eq(column, sample);
          case "lt" -> FilterApi.lt(column, sample);
          default -> FilterApi.gt(column, sample);
        };
      }
      case "int64", "timestamp": {
        var column = FilterApi.longColumn(name);
        long sample = Long.parseLong(value);
        return switch (operator) {
          case "eq" -> FilterApi.eq(column, sample);
          case "lt" -> FilterApi.lt(column, sample);
          default -> FilterApi.gt(column, sample);
        };
      }
      case "double": {
        var column = FilterApi.doubleColumn(name);
        double sample = Double.longBitsToDouble(Long.parseUnsignedLong(value, 16));
        return switch (operator) {
          case "eq" -> FilterApi.eq(column, sample);
          case "lt" -> FilterApi.lt(column, sample);
          default -> FilterApi.gt(column, sample);
        };
      }
      case "boolean":
        return FilterApi.eq(FilterApi.booleanColumn(name), value.equals("true"));
      default: {
        var column = FilterApi.binaryColumn(name);
        var sample = Binary.fromConstantByteArray(value.equals("-") ? new byte[0] : HexFormat.of().parseHex(value));
        return switch (operator) {
          case "eq" -> FilterApi.eq(column, sample);
          case "lt" -> FilterApi.lt(column, sample);
          default -> FilterApi.gt(column, sample);
        };
      }
    }
  }
}
