/**
 * What a graph is built of, as its author sees it. Behind each stands an object of the apache-beam package, which
 * keeps the proto; the casts between the two are in this file alone, so that no public signature names that package.
 */
import type * as apacheBeam from "../model/apache_beam.js";
import type { runnerApi } from "../model/apache_beam.js";

declare const elementType: unique symbol;
declare const pipelineType: unique symbol;
declare const rootType: unique symbol;

/** A collection of `T`s in a graph: a source or a step returns it, and the next step reads it. */
export interface Collection<out T> {
  readonly [elementType]: T;
}

/** A graph that is ready to run, or being built. */
export interface Pipeline {
  readonly [pipelineType]: true;
}

/** The start of a graph, to which sources and impulses are applied. */
export interface Root {
  readonly [rootType]: true;
}

/** The object behind a collection. */
export function pcollectionOf(collection: Collection<any>): apacheBeam.PCollection<any> {
  return collection as unknown as apacheBeam.PCollection<any>;
}

/** The collection that an object of apache-beam stands behind. */
export function collectionOf<T>(pcollection: apacheBeam.PCollection<any>): Collection<T> {
  return pcollection as unknown as Collection<T>;
}

/** The object behind a root. */
export function beamRootOf(root: Root): apacheBeam.Root {
  return root as unknown as apacheBeam.Root;
}

/** The portable form of a pipeline, which runners take. Source: beam_runner_api.proto, Pipeline. */
export function protoOf(pipeline: Pipeline): runnerApi.Pipeline {
  return (pipeline as unknown as apacheBeam.Pipeline).getProto();
}
