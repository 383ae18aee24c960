/** An output that holds this much is sent: one piece of it. */
export const PIECE_BYTES = 1 << 20;
