// Serves the MongoDB protocol on 127.0.0.1 until SIGTERM: MongoServerMain <port> [<file>]; without a file, in memory.
// It must claim to be MongoDB 7.0 (wire version 21), or the current npm driver refuses to talk to it.

import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.h2.mvstore.MVStore;

public final class MongoServerMain {
  public static void main(String[] args) {
    int port = Integer.parseInt(args[0]);
    MongoBackend backend = args.length > 1 ? new JournaledBackend(args[1]) : new MemoryBackend();
    MongoServer server = new MongoServer(backend.version(new Version7()));
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
    try {
      server.bind("127.0.0.1", port);
    } catch (Exception taken) {
      // The server's own threads would keep the process alive, listening to nothing.
      taken.printStackTrace();
      System.exit(1);
    }
  }

  /**
   * Keeps documents in a file, and what was acknowledged as a mongod does with its journal: a write with the concern
   * {w: "majority"} or {j: true} is in the file before it is answered, any other within 100 ms. In the file means handed
   * to the system, so it survives the end of the process, and not of the machine.
   *
   * One command at a time, and the store never writes by itself: it would write halves of commands, and an _id that is
   * in the index without its document makes the repeat of its insert a duplicate.
   */
  private static final class JournaledBackend extends H2Backend {
    private static final int COMMIT_INTERVAL_MS = 100;

    /** Fair, so that a reader is not kept waiting by writers that come again and again. */
    private final ReentrantLock turn = new ReentrantLock(true);
    private final ScheduledExecutorService journal =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread thread = new Thread(task, "journal");
              thread.setDaemon(true);
              return thread;
            });

    JournaledBackend(String file) {
      super(new MVStore.Builder().fileName(file).autoCommitDisabled().autoCommitBufferSize(0).open());
      journal.scheduleWithFixedDelay(this::commit, COMMIT_INTERVAL_MS, COMMIT_INTERVAL_MS, TimeUnit.MILLISECONDS);
    }

    @Override
    public Document handleMessage(MongoMessage message) {
      turn.lock();
      try {
        Document answer = super.handleMessage(message);
        if (waitsForJournal(message.getDocument())) super.commit();
        return answer;
      } finally {
        turn.unlock();
      }
    }

    @Override
    public void commit() {
      turn.lock();
      try {
        super.commit();
      } finally {
        turn.unlock();
      }
    }

    @Override
    public void close() {
      turn.lock();
      try {
        journal.shutdown();
        super.close();
      } finally {
        turn.unlock();
      }
    }

    private static boolean waitsForJournal(Document command) {
      return command.get("writeConcern") instanceof Document concern
          && (Boolean.TRUE.equals(concern.get("j")) || "majority".equals(concern.get("w")));
    }
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
