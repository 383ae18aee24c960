// Serves the MongoDB protocol on 127.0.0.1 until SIGTERM: MongoServerMain <port> [<file>]; without a file, in memory.
// It must claim to be MongoDB 7.0 (wire version 21), or the current npm driver refuses to talk to it.

import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.EmptyIndex;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.IndexKey;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Database;
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
   * in the index without its document makes the repeat of its insert a duplicate. So what it would do for the size of the
   * file is done here: each commit writes whole pages anew, and what they take the place of is collected.
   */
  private static final class JournaledBackend extends H2Backend {
    private static final int COMMIT_INTERVAL_MS = 100;
    /** A quarter of the usual: a commit of a few documents with random _ids writes as many pages. */
    private static final int PAGE_BYTES = 4096;
    /** How long what is no longer in use stays. Without a crash of the machine to fear, not at all would do. */
    private static final int RETENTION_MS = 1_000;
    private static final int COLLECT_INTERVAL_MS = 500;
    /** Percent of what the file holds that is to be in use, and how much of it may be written anew at a time. */
    private static final int FILL_RATE = 50;
    private static final int COLLECTED_BYTES = 4 << 20;

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
      super(open(file));
      journal.scheduleWithFixedDelay(this::commit, COMMIT_INTERVAL_MS, COMMIT_INTERVAL_MS, TimeUnit.MILLISECONDS);
      journal.scheduleWithFixedDelay(this::collect, COLLECT_INTERVAL_MS, COLLECT_INTERVAL_MS, TimeUnit.MILLISECONDS);
    }

    private static MVStore open(String file) {
      MVStore.Builder builder =
          new MVStore.Builder()
              .fileName(file)
              .autoCommitDisabled()
              .autoCommitBufferSize(0)
              .pageSplitSize(PAGE_BYTES)
              // A document is a serialized Java object, with the names of its classes.
              .compress();
      MVStore store = builder.open();
      store.setRetentionTime(RETENTION_MS);
      store.setVersionsToKeep(0);
      return store;
    }

    @Override
    protected MongoDatabase openOrCreateDatabase(String name) {
      return new H2Database(name, getMvStore(), getCursorRegistry()) {
        @Override
        protected Index<Object> openOrCreateSecondaryIndex(
            String collection, String index, List<IndexKey> keys, boolean isSparse) {
          return new AbsentIndex(index, keys);
        }
      };
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

    private void collect() {
      turn.lock();
      try {
        getMvStore().compact(FILL_RATE, COLLECTED_BYTES);
      } catch (RuntimeException error) {
        // A task that throws is not run again.
        error.printStackTrace();
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

  /** An index that is not unique is a name alone here; empty, each start would read all documents to fill it. */
  private static final class AbsentIndex extends EmptyIndex<Object> {
    AbsentIndex(String name, List<IndexKey> keys) {
      super(name, keys);
    }

    @Override
    public boolean isEmpty() {
      return false;
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
