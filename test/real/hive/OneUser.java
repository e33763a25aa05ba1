import javax.security.sasl.AuthenticationException;
import org.apache.hive.service.auth.PasswdAuthenticationProvider;

/** Lets in the user of the properties `one.user` and `one.password`, and nobody else. */
public class OneUser implements PasswdAuthenticationProvider {
  @Override
  public void Authenticate(String user, String password) throws AuthenticationException {
    boolean isKnown =
        user.equals(System.getProperty("one.user")) && password.equals(System.getProperty("one.password"));
    if (!isKnown) throw new AuthenticationException("no such user or password");
  }
}
