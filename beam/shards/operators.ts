/** The operators of steps whose keys are kept in shards: whoever runs bundles for a runner of other processes loads them. */
import { registerDoFnOperator } from "../exec/operator.js";
import { SHARD_KEYS_URN, SHARDED_URN } from "../sdk/key_shards.js";
import { ShardKeysOperator } from "./shard_keys.js";
import { ShardedParDoOperator } from "./sharded_par_do.js";

registerDoFnOperator(SHARD_KEYS_URN, (context) => new ShardKeysOperator(context));
registerDoFnOperator(SHARDED_URN, (context) => new ShardedParDoOperator(context));
