/** A package, with what package.json says of it. */
interface NpmPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}
export function npmComponent(described: NpmPackage, linking?: string): { readonly purl: string };
export function schemaErrors(document: string): Promise<string[]>;
