/**
 * A worker: takes instructions from the runner's control stream and answers each, with the same id, when it is done.
 * Bundles run side by side, as many as the runner asks for; nothing else waits for them. The worker ends when the
 * control stream does. Source: beam_fn_api.proto, BeamFnControl.
 */
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import type { fnApi } from "../model/apache_beam.js";
import { type Clock, sleep, systemClock } from "../platform/clock.js";
import { maskSecrets } from "../platform/masking.js";
import { Bundle, type RunnerTraits } from "./bundle.js";
import { Connection, callError } from "./connection.js";
import { DataChannel } from "./data_channel.js";
import { Descriptors } from "./descriptors.js";
import { Finalizers } from "./finalizers.js";
import { CONTROL } from "./fn_methods.js";
import { type BundleScope, HarnessProcessor } from "./harness_processor.js";
import { Inboxes } from "./inbox.js";
import { type BundleAtWork, currentBundle } from "./logging_channel.js";
import { ShortIds } from "./monitoring.js";
import { OngoingBundles } from "./ongoing.js";
import { ProcessorPool } from "./processor_pool.js";
import { RecentIds } from "./recent_ids.js";
import { StateCache } from "./state_cache.js";
import { StateChannel, type WorkerTraffic } from "./state_channel.js";
import { serveStatus } from "./status_channel.js";
import type { WorkerLog } from "./worker_log.js";

export interface WorkerOptions {
  readonly workerId: string;
  readonly controlEndpoint: string;
  readonly log: WorkerLog;
  readonly clock?: Clock;
  /** What the runner says that it can do. */
  readonly runnerCapabilities?: readonly string[];
  /** Whether it looks at more than the whole seconds of a delay. Default: yes. */
  readonly honoursMs?: boolean;
  /** Where it answers what it is doing; "": nowhere. */
  readonly statusEndpoint?: string;
  /** How long the runner may take to answer at all. */
  readonly reachTimeoutMs?: number;
  readonly stateCacheBytes?: number;
  /** How long a bundle takes before the log tells of it. Default: 5 minutes. */
  readonly ongoingMs?: number;
  /** Added to as the worker runs. */
  readonly traffic?: WorkerTraffic;
  /** What went wrong while the worker was made ready: each bundle fails with it, so that the user sees why. */
  readonly initialError?: Error;
}

const REACH_TIMEOUT_MS = 20_000;
const STATE_CACHE_BYTES = 128 << 20;
/** Bundles that are over, for questions that come too late. */
const RECENT_BUNDLES_MAX = 1_000;
/** What bundles under way may take to notice that the runner is gone. */
const END_TIMEOUT_MS = 5_000;
const SHORT_IDS_CAPABILITY = "beam:protocol:monitoring_info_short_ids:v1";

type Answer = fnApi.InstructionResponse["response"];

export class Worker {
  /** Settles when the worker has ended: breaks when the runner was not reached, or went away. */
  readonly finished: Promise<void>;
  readonly #control: Connection;
  readonly #descriptors: Descriptors;
  readonly #inboxes = new Inboxes();
  readonly #shortIds = new ShortIds();
  readonly #finalizers = new Finalizers();
  readonly #pool: ProcessorPool;
  readonly #cache: StateCache;
  readonly #clock: Clock;
  readonly #traits: RunnerTraits;
  readonly #dataChannels = new Map<string, DataChannel>();
  readonly #stateChannels = new Map<string, StateChannel>();
  readonly #traffic: WorkerTraffic;
  /** Asked for and not answered; undefined until the bundle has its processor. */
  readonly #running = new Map<string, Bundle | undefined>();
  readonly #succeeded = new RecentIds(RECENT_BUNDLES_MAX);
  readonly #failed = new RecentIds(RECENT_BUNDLES_MAX);
  readonly #ongoing: OngoingBundles;
  #stream: ClientDuplexStream<fnApi.InstructionResponse, fnApi.InstructionRequest> | undefined;
  #isEnding = false;
  #endStatus: () => void = () => undefined;
  #stopReaching: () => void = () => undefined;

  constructor(private readonly options: WorkerOptions) {
    const { log } = options;
    this.#clock = options.clock ?? systemClock;
    this.#traffic = options.traffic ?? { stateRequests: 0 };
    this.#ongoing = new OngoingBundles(this.#clock, log, options.ongoingMs);
    this.#control = new Connection(options.controlEndpoint, options.workerId);
    this.#descriptors = new Descriptors(this.#control);
    this.#cache = new StateCache(options.stateCacheBytes ?? STATE_CACHE_BYTES);
    this.#pool = new ProcessorPool((error) => log.warn("a teardown failed", { reason: error.message }));
    this.#traits = {
      knowsShortIds: options.runnerCapabilities?.includes(SHORT_IDS_CAPABILITY) ?? false,
      honoursMs: options.honoursMs ?? true,
    };
    this.finished = this.#run();
    this.finished.catch(() => undefined);
  }

  /** Ends the worker; bundles under way fail. */
  stop(): void {
    this.#isEnding = true;
    this.#stream?.cancel();
    this.#stopReaching();
  }

  /** For a person: what the worker is doing. */
  status(): string {
    const { heapUsed, rss } = process.memoryUsage();
    return [
      `worker ${this.options.workerId}`,
      `bundles: ${[...this.#running.keys()].join(", ") || "none"}`,
      `state cache: ${this.#cache.size} keys, ${this.#cache.bytes} bytes`,
      `state requests: ${this.#traffic.stateRequests}`,
      `memory: ${rss} bytes, ${heapUsed} of them heap`,
    ].join("\n");
  }

  async #run(): Promise<void> {
    try {
      const reaching = this.#control.reach(
        "control service",
        this.options.reachTimeoutMs ?? REACH_TIMEOUT_MS,
      );
      const stopped = new Promise<void>((resolve) => {
        this.#stopReaching = resolve;
      });
      await Promise.race([reaching, stopped]);
      if (!this.#isEnding) await this.#follow();
    } finally {
      await this.#end();
    }
  }

  /** Resolves when the runner has closed the stream. */
  #follow(): Promise<void> {
    const { statusEndpoint = "", workerId } = this.options;
    if (statusEndpoint !== "") this.#endStatus = serveStatus(statusEndpoint, workerId, () => this.status());
    const stream = this.#control.stream(CONTROL);
    this.#stream = stream;
    return new Promise((resolve, reject) => {
      stream.on("data", (request: fnApi.InstructionRequest) => this.#take(request));
      stream.on("end", resolve);
      stream.on("error", (error: ServiceError) => {
        if (this.#isEnding) resolve();
        else reject(callError("the control stream", this.#control.url, error));
      });
    });
  }

  async #end(): Promise<void> {
    this.#isEnding = true;
    this.#inboxes.fail(new Error("the worker ends"));
    for (const channel of this.#dataChannels.values()) channel.close();
    for (const channel of this.#stateChannels.values()) channel.close();
    this.#stream?.end();
    this.#endStatus();
    const deadline = systemClock.elapsed() + END_TIMEOUT_MS;
    while (this.#running.size > 0 && systemClock.elapsed() < deadline) {
      await sleep(10);
    }
    await this.#pool.close();
    this.#control.close();
  }

  #take(request: fnApi.InstructionRequest): void {
    const id = request.instructionId;
    // Known from now on: a question about the bundle may be the next message.
    if (request.request.oneofKind === "processBundle") this.#running.set(id, undefined);
    let answer: Answer | Promise<Answer>;
    try {
      answer = this.#answer(id, request.request);
    } catch (error) {
      this.#send(id, { oneofKind: undefined }, error as Error);
      return;
    }
    if (answer instanceof Promise) {
      answer.then(
        (response) => this.#send(id, response),
        (error: Error) => this.#send(id, { oneofKind: undefined }, error),
      );
    } else {
      this.#send(id, answer);
    }
  }

  #send(instructionId: string, response: Answer, error?: Error): void {
    const text = error === undefined ? "" : (error.stack ?? String(error)) || "an error without a message";
    // A runner shows it to whoever asks.
    if (!this.#isEnding) this.#stream!.write({ instructionId, error: maskSecrets(text), response });
  }

  #answer(id: string, request: fnApi.InstructionRequest["request"]): Answer | Promise<Answer> {
    switch (request.oneofKind) {
      case "processBundle":
        return this.#processBundle(id, request.processBundle);
      case "processBundleProgress": {
        const bundle = this.#bundleOf(request.processBundleProgress.instructionId);
        const processBundleProgress = bundle?.progress() ?? { monitoringInfos: [], monitoringData: {} };
        return { oneofKind: "processBundleProgress", processBundleProgress };
      }
      case "processBundleSplit": {
        const bundle = this.#bundleOf(request.processBundleSplit.instructionId);
        const processBundleSplit = bundle?.split(request.processBundleSplit) ?? {
          primaryRoots: [],
          residualRoots: [],
          channelSplits: [],
        };
        return { oneofKind: "processBundleSplit", processBundleSplit };
      }
      case "finalizeBundle":
        return this.#finalizers
          .run(request.finalizeBundle.instructionId)
          .then(() => ({ oneofKind: "finalizeBundle", finalizeBundle: {} }));
      case "register":
        for (const descriptor of request.register.processBundleDescriptor) {
          this.#descriptors.register(descriptor);
        }
        return { oneofKind: "register", register: {} };
      case "monitoringInfos": {
        const monitoringInfo: fnApi.MonitoringInfosMetadataResponse["monitoringInfo"] = {};
        for (const shortId of request.monitoringInfos.monitoringInfoId) {
          const info = this.#shortIds.info(shortId);
          if (info !== undefined) monitoringInfo[shortId] = info;
        }
        return { oneofKind: "monitoringInfos", monitoringInfos: { monitoringInfo } };
      }
      case "harnessMonitoringInfos":
        return { oneofKind: "harnessMonitoringInfos", harnessMonitoringInfos: { monitoringData: {} } };
      default:
        throw new Error("this worker does not know what it is asked for");
    }
  }

  /** Undefined for a bundle that has not begun or is over; throws for one that failed or was never asked for. */
  #bundleOf(id: string): Bundle | undefined {
    const bundle = this.#running.get(id);
    if (bundle !== undefined || this.#running.has(id) || this.#succeeded.has(id)) return bundle;
    throw new Error(
      this.#failed.has(id) ? `the process bundle ${id} has failed` : `Unknown process bundle ${id}`,
    );
  }

  #processBundle(id: string, request: fnApi.ProcessBundleRequest): Promise<Answer> {
    const atWork: BundleAtWork = { instructionId: id, transform: undefined };
    return currentBundle.run(atWork, () => this.#runBundle(atWork, request));
  }

  async #runBundle(atWork: BundleAtWork, request: fnApi.ProcessBundleRequest): Promise<Answer> {
    const id = atWork.instructionId;
    const inbox = this.#inboxes.open(id);
    let harness: HarnessProcessor | undefined;
    try {
      if (this.options.initialError !== undefined) throw this.options.initialError;
      const descriptor = await this.#descriptors.get(request.processBundleDescriptorId);
      harness = await this.#pool.take(descriptor.id, () => {
        const made = new HarnessProcessor(descriptor, this.#clock, this.#shortIds);
        atWork.transform = made.processor.atWork;
        return made;
      });
      const { processor } = harness;
      atWork.transform = processor.atWork;
      this.#ongoing.begin(
        id,
        () => descriptor.transforms[processor.atWork.id]?.uniqueName ?? "",
        (tell) => currentBundle.run(atWork, tell),
      );
      const bundle = new Bundle(harness, this.#scope(id, descriptor, request), inbox, this.#traits);
      this.#running.set(id, bundle);
      const processBundle = await bundle.run();
      if (harness.finalizers.length > 0) {
        this.#finalizers.keep(id, harness.finalizers, this.#clock.elapsed());
      }
      this.#succeeded.add(id);
      this.#pool.giveBack(harness);
      return { oneofKind: "processBundle", processBundle };
    } catch (error) {
      this.#failed.add(id);
      if (!this.#isEnding) {
        this.options.log.error("a bundle failed", { bundle: id, reason: (error as Error).message });
      }
      if (harness !== undefined) void this.#pool.discard(harness);
      throw error;
    } finally {
      // The processor goes on with other bundles.
      atWork.transform = undefined;
      this.#ongoing.end(id);
      this.#running.delete(id);
      this.#inboxes.close(id);
    }
  }

  #scope(
    instructionId: string,
    descriptor: fnApi.ProcessBundleDescriptor,
    { cacheTokens }: fnApi.ProcessBundleRequest,
  ): BundleScope {
    const url = descriptor.stateApiServiceDescriptor?.url ?? "";
    const token = cacheTokens.find(({ type }) => type.oneofKind === "userState")?.token;
    return {
      instructionId,
      cache: this.#cache,
      cacheToken: token === undefined ? undefined : Buffer.from(token).toString("latin1"),
      channel: () => {
        if (url === "") throw new Error("the runner serves no state for this bundle");
        return this.#stateChannel(url);
      },
      dataChannel: (endpoint) => this.#dataChannel(endpoint),
    };
  }

  #stateChannel(url: string): StateChannel {
    let channel = this.#stateChannels.get(url);
    if (channel === undefined) {
      const made = new StateChannel(url, this.options.workerId, this.#traffic, (error) => {
        if (this.#stateChannels.get(url) === made) this.#stateChannels.delete(url);
        this.#reportBroken(error);
      });
      channel = made;
      this.#stateChannels.set(url, channel);
    }
    return channel;
  }

  /** Opened before a bundle reads from it: what comes for bundles goes to the inboxes. */
  #dataChannel(url: string): DataChannel {
    let channel = this.#dataChannels.get(url);
    if (channel === undefined) {
      const connection = new Connection(url, this.options.workerId);
      const made = new DataChannel(connection, this.#inboxes, (error) => {
        if (this.#dataChannels.get(url) === made) this.#dataChannels.delete(url);
        this.#inboxes.fail(error);
        this.#reportBroken(error);
      });
      channel = made;
      this.#dataChannels.set(url, channel);
    }
    return channel;
  }

  #reportBroken(error: Error): void {
    if (!this.#isEnding) this.options.log.warn(error.message);
  }
}
