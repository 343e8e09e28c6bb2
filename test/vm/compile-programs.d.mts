export function compilePrograms(folder: string): Promise<void>;
