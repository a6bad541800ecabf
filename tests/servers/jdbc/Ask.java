import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Properties;
import java.util.TimeZone;

/** Asks through PostgreSQL's JDBC driver what lines of standard input say, tab by tab, and prints rows the same way. */
public final class Ask {
    private Ask() {}

    public static void main(String[] arguments) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        Properties properties = new Properties();
        properties.setProperty("user", "tester");
        for (int at = 1; at + 1 < arguments.length; at += 2) {
            properties.setProperty(arguments[at], arguments[at + 1]);
        }
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                try {
                    answer(connection, line.split("\t", -1));
                } catch (SQLException refused) {
                    String message = refused.getMessage() == null ? "" : refused.getMessage();
                    System.out.println("ERROR\t" + refused.getSQLState() + "\t" + message.replace('\n', ' '));
                }
                System.out.println(".");
            }
        }
    }

    private static void answer(Connection connection, String[] words) throws SQLException {
        DatabaseMetaData about = connection.getMetaData();
        switch (words[0]) {
            case "product" -> System.out.println(
                about.getDatabaseProductName() + "\t" + about.getDatabaseMajorVersion() + "\t" + connection.isReadOnly());
            case "schemas" -> print(about.getSchemas(), "TABLE_SCHEM");
            case "tables" -> print(
                about.getTables(null, "public", words[1], new String[] {"TABLE", "VIEW"}), "TABLE_NAME", "TABLE_TYPE");
            case "columns" -> print(
                about.getColumns(null, "public", words[1], "%"),
                "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME", "COLUMN_SIZE", "DECIMAL_DIGITS", "IS_NULLABLE",
                "ORDINAL_POSITION");
            case "keys" -> print(about.getPrimaryKeys(null, "public", words[1]), "COLUMN_NAME");
            case "foreign" -> print(about.getImportedKeys(null, "public", words[1]), "FKCOLUMN_NAME");
            case "indexes" -> print(about.getIndexInfo(null, "public", words[1], false, true), "INDEX_NAME");
            case "commit" -> {
                connection.setAutoCommit(false);
                try (Statement statement = connection.createStatement()) {
                    // A few rows at a time, which the driver does inside of a transaction alone.
                    statement.setFetchSize(7);
                    print(statement.executeQuery(words[1]));
                }
                connection.commit();
                connection.setAutoCommit(true);
            }
            case "query" -> {
                try (PreparedStatement statement = connection.prepareStatement(words[1])) {
                    for (int at = 2; at < words.length; at++) {
                        set(statement, at - 1, words[at]);
                    }
                    print(statement.executeQuery());
                }
            }
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    private static void set(PreparedStatement statement, int at, String word) throws SQLException {
        String value = word.substring(word.indexOf(':') + 1);
        switch (word.substring(0, word.indexOf(':'))) {
            case "int" -> statement.setInt(at, Integer.parseInt(value));
            case "long" -> statement.setLong(at, Long.parseLong(value));
            case "double" -> statement.setDouble(at, Double.parseDouble(value));
            case "decimal" -> statement.setBigDecimal(at, new BigDecimal(value));
            case "bool" -> statement.setBoolean(at, Boolean.parseBoolean(value));
            case "timestamp" -> statement.setTimestamp(at, Timestamp.from(Instant.parse(value)));
            case "moment" -> statement.setObject(at, OffsetDateTime.parse(value));
            case "null" -> statement.setNull(at, java.sql.Types.VARCHAR);
            default -> statement.setString(at, value);
        }
    }

    private static void print(ResultSet rows) throws SQLException {
        ResultSetMetaData about = rows.getMetaData();
        String[] columns = new String[about.getColumnCount()];
        StringBuilder types = new StringBuilder("TYPES");
        for (int at = 1; at <= columns.length; at++) {
            types.append('\t').append(about.getColumnLabel(at)).append(' ').append(about.getColumnTypeName(at));
        }
        System.out.println(types);
        while (rows.next()) {
            StringBuilder line = new StringBuilder();
            for (int at = 1; at <= columns.length; at++) {
                Object value = rows.getObject(at);
                if (value instanceof Timestamp timestamp) {
                    value = timestamp.toInstant();
                } else if (value instanceof BigDecimal decimal) {
                    value = decimal.toPlainString();
                }
                line.append(at == 1 ? "" : "\t").append(value);
            }
            System.out.println(line);
        }
        rows.close();
    }

    private static void print(ResultSet rows, String... columns) throws SQLException {
        while (rows.next()) {
            StringBuilder line = new StringBuilder();
            for (String column : columns) {
                line.append(line.length() == 0 ? "" : "\t").append(rows.getString(column));
            }
            System.out.println(line);
        }
        rows.close();
    }
}
