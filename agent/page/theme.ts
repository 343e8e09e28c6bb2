/** Dark or light: as the system says, until the reader chooses. */
import { h } from './dom.js';

export function themeSwitch(onChange: () => void): HTMLElement {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = (): boolean =>
    (document.documentElement.dataset['theme'] ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const label = (): string => (isDark() ? 'Light' : 'Dark');
  const button = h(
    'button',
    { type: 'button', attributes: { 'aria-label': 'Change between dark and light' } },
    label(),
  );
  const changed = (): void => {
    button.textContent = label();
    onChange();
  };
  button.addEventListener('click', () => {
    document.documentElement.dataset['theme'] = isDark() ? 'light' : 'dark';
    changed();
  });
  system.addEventListener('change', changed);
  return button;
}
