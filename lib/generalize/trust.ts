/**
 * Whom and what the generaliser trusts. What it learns from may be an attacker's doing: these rules say which programs an
 * exception may name, and where names may be replaced by patterns. Pure.
 */
import { isInside } from './paths.js';
import { isSecret, SECRET_BEGINNINGS } from './secrets.js';

/** Folders in which every user can make files. */
const SHARED_FOLDERS = ['/tmp', '/var/tmp', '/dev/shm', '/run/user', '/run/lock', '/var/lock', '/var/crash'];
/** Folders of users. */
const HOMES = ['/home', '/root'];
/** Folders with programs that only the administrator can change. */
const PROGRAM_FOLDERS = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/opt', '/nix/store', '/snap'];

/** Folders whose whole content never becomes a pattern: settings, jobs, devices, programs and keys. */
const SENSITIVE_FOLDERS = [
  '/etc', '/boot', '/dev', '/proc', '/sys', '/run/secrets', '/var/run/secrets', '/var/spool/cron', '/usr/local', '/efi',
  '/run/systemd', '/run/udev', '/var/lib/systemd', '/var/lib/kubelet', '/var/lib/docker', '/var/lib/containers',
]; // prettier-ignore
/** Folders with programs and libraries: only package managers get a pattern of them. */
const CODE_FOLDERS = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/opt'];

const PACKAGE_MANAGERS = [
  'apk', 'apt', 'apt-get', 'dnf', 'dnf5', 'dpkg', 'dpkg-deb', 'pacman', 'rpm', 'unattended-upgrade', 'yum', 'zypper',
]; // prettier-ignore

/** Programs that do whatever their arguments say. Anybody may call them for anything. */
const GENERAL_PROGRAMS = new Set([
  // shells and what starts other programs
  'sh', 'ash', 'bash', 'dash', 'zsh', 'ksh', 'mksh', 'fish', 'csh', 'tcsh', 'rbash', 'busybox', 'toybox', 'env', 'nice',
  'nohup', 'setsid', 'timeout', 'xargs', 'find', 'flock', 'stdbuf', 'script', 'chroot', 'unshare', 'nsenter', 'setpriv',
  'capsh', 'start-stop-daemon', 'ld.so', 'strace', 'ltrace', 'gdb', 'gdbserver', 'expect', 'parallel', 'watch', 'tmux',
  'screen', 'make', 'pkexec', 'doas', 'runuser', 'setarch', 'taskset', 'chrt', 'ionice', 'prlimit', 'time', 'run-parts',
  // interpreters
  'perl', 'ruby', 'php', 'node', 'nodejs', 'bun', 'deno', 'lua', 'luajit', 'tclsh', 'java', 'awk', 'gawk', 'mawk',
  'nawk', 'guile', 'erl', 'R', 'julia', 'mono', 'dotnet', 'ipython', 'irb', 'bc', 'dc', 'm4', 'sqlite3',
  // files
  'cat', 'cp', 'mv', 'ln', 'dd', 'rm', 'tar', 'cpio', 'zip', 'unzip', 'gzip', 'bzip2', 'xz', 'zstd', '7z', 'rsync',
  'head', 'tail', 'less', 'more', 'most', 'grep', 'egrep', 'fgrep', 'sed', 'sort', 'cut', 'tr', 'tee', 'od', 'xxd',
  'hexdump', 'strings', 'base64', 'base32', 'basenc', 'vi', 'vim', 'nvim', 'view', 'nano', 'emacs', 'ed', 'install',
  'chmod', 'chown', 'chgrp', 'chattr', 'touch', 'truncate', 'split', 'diff', 'cmp', 'comm', 'paste', 'join', 'nl',
  'tac', 'rev', 'uniq', 'wc', 'shuf', 'mkdir', 'rmdir', 'unlink', 'link', 'readlink', 'stat', 'file', 'setfacl',
  'setfattr', 'openssl', 'gpg', 'objcopy', 'as', 'ld', 'gcc', 'cc', 'c++', 'clang', 'mknod', 'mkfifo', 'shred', 'cut',
  // the network
  'curl', 'wget', 'nc', 'ncat', 'netcat', 'socat', 'telnet', 'ftp', 'tftp', 'lftp', 'ssh', 'scp', 'sftp', 'aria2c',
  'lynx', 'w3m', 'dig', 'host', 'nslookup', 'nmap', 'masscan', 'tcpdump', 'tshark', 'openvpn', 'ping', 'git', 'rclone',
  // the kernel and processes
  'mount', 'umount', 'insmod', 'modprobe', 'rmmod', 'kmod', 'bpftool', 'bpftrace', 'ip', 'iptables', 'nft', 'sysctl',
  'systemctl', 'systemd-run', 'crontab', 'at', 'kill', 'pkill', 'killall', 'setcap', 'losetup', 'debugfs', 'kexec',
  'date', 'hwclock', 'timedatectl', 'chpasswd', 'usermod',
]); // prettier-ignore
/** The same with a version: python3.13, perl5.40-x86_64-linux-gnu, bash5, ld-linux-x86-64.so.2, vim.basic. */
const GENERAL_NAME =
  /^(python|pypy|perl|ruby|php|lua|node|bash|ksh|zsh|ld-|java|guile|tclsh|erl|vim|nc|gcc|clang|cpp|x86_64-)[-\w.+]*$/;

/** Programs that start what people or schedules want: their descendants have nothing in common. */
const SESSION_PROGRAMS = new Set([
  'systemd', 'init', 'sshd', 'sshd-session', 'sshd-auth', 'login', 'su', 'sudo', 'sudo-rs', 'cron', 'crond', 'atd',
  'anacron', 'agetty', 'getty', 'gdm', 'gdm3', 'gdm-session-worker', 'lightdm', 'sddm', 'xrdp', 'dbus-daemon',
  'dbus-broker', 'polkitd', 'containerd', 'containerd-shim', 'containerd-shim-runc-v2', 'dockerd', 'docker', 'podman',
  'conmon', 'runc', 'crun', 'crio', 'kubelet', 'tini', 'dumb-init', 'catatonit', 'tailscaled', 'cloud-init', 'snapd',
  'systemd-executor', 'udevd', 'systemd-udevd', 'gnome-shell', 'gnome-terminal-server', 'xterm', 'konsole', 'code',
]); // prettier-ignore

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const isInsideAny = (path: string, folders: readonly string[]): boolean =>
  folders.some((folder) => isInside(path, folder));

export function isPackageManager(program: string): boolean {
  return (
    isInsideAny(program, ['/usr/bin', '/usr/sbin', '/bin', '/sbin']) && PACKAGE_MANAGERS.includes(baseName(program))
  );
}

/** True for a file that only the administrator can have put there. */
export function isSystemProgram(path: string): boolean {
  return isInsideAny(path, PROGRAM_FOLDERS) && !path.endsWith(' (deleted)');
}

/** True for a program whose arguments decide what it does, so that its name says nothing. */
export function isGeneralProgram(path: string): boolean {
  const name = baseName(path);
  return GENERAL_PROGRAMS.has(name) || GENERAL_NAME.test(name) || /^ld[-.].*\.so/.test(name);
}

/** True for a program whose descendants do anything: sessions of people, services, jobs, containers. */
export function isSessionProgram(path: string): boolean {
  return SESSION_PROGRAMS.has(baseName(path));
}

/** True for a folder in which every user can make files, and for what is in it. */
export function isShared(path: string): boolean {
  return isInsideAny(path, SHARED_FOLDERS);
}

/** Files of a process that give its memory or its secrets away. */
const PROCESS_SECRETS = /^\/proc\/.*\/(mem|environ|maps|auxv|syscall|stack|fd|root|cwd|exe)(\/|$)/;

/** False for a path whose names are never replaced: the pattern could be true for a secret, too. */
export function mayVary(path: string): boolean {
  return !isSecret(path) && !isInsideAny(path, HOMES) && !PROCESS_SECRETS.test(path);
}

/** Least names of a beginning that is not about one folder: /var/lib/x. */
const DEPTH_MIN = 3;

/** True if every path that begins with the folder and a slash may be excepted. */
export function mayBecomePattern(folder: string, program: string | undefined): boolean {
  const depth = folder.split('/').length - 1;
  if (isShared(folder) || isInsideAny(folder, [...HOMES, ...SENSITIVE_FOLDERS]) || !folder.startsWith('/'))
    return false;
  if (!isEmptyOfSecrets(`${folder}/`)) return false;
  if (isInsideAny(folder, CODE_FOLDERS)) return depth >= 2 && program !== undefined && isPackageManager(program);
  return depth >= DEPTH_MIN;
}

/** Letters that a name in a shared folder must begin with: others can make `/tmp/x`, too. */
const SHARED_NAME_MIN = 4;

/** True if paths that begin with `before`, and end with `after`, may be excepted. */
export function mayBeginPattern(before: string, after: string): boolean {
  const slash = before.lastIndexOf('/');
  const folder = before.slice(0, slash);
  const name = before.slice(slash + 1);
  if (!isEmptyOfSecrets(before) || !mayVary(before + after)) return false;
  if (folder === '/proc') return name === '' && after.startsWith('/') && after.length > 1;
  if (isShared(folder)) return name.length >= SHARED_NAME_MIN && !after.includes('/');
  if (isInsideAny(folder, SENSITIVE_FOLDERS)) return name.length >= SHARED_NAME_MIN && !after.includes('/');
  const depth = folder.split('/').length - 1;
  return depth >= DEPTH_MIN || (depth >= 2 && name.length >= SHARED_NAME_MIN);
}

/** No secret begins so. */
function isEmptyOfSecrets(before: string): boolean {
  return !SECRET_BEGINNINGS.some((secret) => secret.startsWith(before) || before.startsWith(secret));
}
