/** Switches between dark and light. The default is the setting of the system. */
import { h } from './dom.js';

export function createThemeSwitch(onChange: () => void): HTMLElement {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = (): boolean =>
    (document.documentElement.dataset['theme'] ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const formatLabel = (): string => (isDark() ? 'Light' : 'Dark');
  const button = h(
    'button',
    { type: 'button', attributes: { 'aria-label': 'Change between dark and light' } },
    formatLabel(),
  );
  const update = (): void => {
    button.textContent = formatLabel();
    onChange();
  };
  button.addEventListener('click', () => {
    document.documentElement.dataset['theme'] = isDark() ? 'light' : 'dark';
    update();
  });
  system.addEventListener('change', update);
  return button;
}
