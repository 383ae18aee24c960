/** Coding runs to its end before another cell's begins, so one reader and one writer serve all cells. */
import { ByteReader, ByteWriter } from "../../model/bytes.js";

export const reader = new ByteReader();
export const writer = new ByteWriter();
