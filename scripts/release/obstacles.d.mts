export function changelogSection(changelog: string, version: string): { date: string; text: string } | undefined;
export function findObstacles(tree: {
  version: string;
  others: Readonly<Record<string, string>>;
  tags: readonly string[];
  status: string;
  changelog: string;
  env: Readonly<Record<string, string>>;
}): string[];
