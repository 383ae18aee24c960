// Serves the MongoDB protocol on 127.0.0.1 until SIGTERM: MongoServerMain <port> [<file>]; without a file, in memory.
// It must claim to be MongoDB 7.0 (wire version 21), or the current npm driver refuses to talk to it.

import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.List;

public final class MongoServerMain {
  /** A genuine mongod writes its journal every 100 ms; what is newer can be lost when the process is killed. */
  private static final int COMMIT_INTERVAL_MS = 100;

  public static void main(String[] args) {
    int port = Integer.parseInt(args[0]);
    MongoBackend backend = args.length > 1 ? fileBackend(args[1]) : new MemoryBackend().version(new Version7());
    MongoServer server = new MongoServer(backend);
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
    try {
      server.bind("127.0.0.1", port);
    } catch (Exception taken) {
      // The server's own threads would keep the process alive, listening to nothing.
      taken.printStackTrace();
      System.exit(1);
    }
  }

  private static MongoBackend fileBackend(String file) {
    H2Backend backend = new H2Backend(file);
    backend.getMvStore().setAutoCommitDelay(COMMIT_INTERVAL_MS);
    return backend.version(new Version7());
  }

  private static final class Version7 implements MongoVersion {
    @Override
    public List<Integer> getVersionArray() {
      return List.of(7, 0, 0);
    }

    @Override
    public int getWireVersion() {
      return 21;
    }
  }
}
