/**
 * Ordinary work of a machine, for the test of noise: what an hour brings, done at once. Each task is a script for bash.
 * `prepareTasks` makes their files before the first task, and nothing of that counts. Files of the tasks are in memory, or on
 * the disk of a guest that is as a machine of its own.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

export interface OrdinaryTask {
  readonly title: string;
  readonly script: string;
  /** It runs for each commit, too. The others take long, and run at night. */
  readonly short?: boolean;
  /** Programs without which the task is left out. They are in packages of scripts/setup.sh, but not on each machine. */
  readonly needs?: readonly string[];
  /** It runs only in a guest that is as a machine of its own. */
  readonly onMachine?: boolean;
}

const HOME = '/srv/work';
const SSH = `-o StrictHostKeyChecking=no -o UserKnownHostsFile=${HOME}/known -o BatchMode=yes -i /root/.ssh/id_ed25519`;
/** Until a condition of the shell holds. It polls, because each condition has another event. */
const until = (condition: string): string =>
  `for i in $(seq 300); do ${condition} && break; sleep 0.1; done; ${condition}`;

export const ORDINARY_TASKS: readonly OrdinaryTask[] = [
  {
    title: 'a package is installed, upgraded and removed (apt, dpkg)',
    script: `cd ${HOME}; apt-get -q -y $(cat apt-options) update; apt-get -q -y $(cat apt-options) install noise=1
apt-get -q -y $(cat apt-options) upgrade; dpkg -i repo/noise_2_all.deb; apt-get -q -y $(cat apt-options) purge noise`,
  },
  {
    title: 'accounts (useradd, chpasswd, usermod, groupadd, passwd, userdel)',
    short: true,
    script: `useradd -m -s /bin/bash noise; echo noise:Secret-123 | chpasswd; groupadd noises; usermod -aG noises noise
passwd -S noise; chage -l noise; gpasswd -d noise noises; groupdel noises; su - noise -c id; userdel -r noise; true`,
  },
  {
    title: 'su and sudo',
    short: true,
    script: `su nobody -s /bin/sh -c id; sudo -n true; sudo -n -u nobody id; sudo -n -l; su - root -c 'id; exit'`,
  },
  {
    title: 'a shell of a person, with its history',
    short: true,
    script: `export HOME=${HOME}/home; mkdir -p $HOME; printf 'ls -l /etc\\nps ax\\ndf\\nuname -a\\nfree\\nexit\\n' | script -qec 'bash --login -i' /dev/null
printf 'cat /etc/passwd\\nip address\\nexit\\n' | script -qec 'bash --login -i' /dev/null; cat $HOME/.bash_history`,
  },
  {
    title: 'jobs of cron',
    needs: ['cron'],
    script: `rm -f /run/crond.reboot /run/cron-*; cron -f & pid=$!
${until('[ -e /run/cron-root ] && [ -e /run/cron-nobody ]')}; kill $pid; wait $pid; true`,
  },
  {
    title: 'logins by ssh, scp and sftp',
    needs: ['sshd'],
    script: `mkdir -p /run/sshd; /usr/sbin/sshd -D -p 2222 -o PidFile=${HOME}/sshd.pid & pid=$!; ${until(`[ -e ${HOME}/sshd.pid ]`)}
ssh ${SSH} -p 2222 root@127.0.0.1 'id; ls /etc > /dev/null'; scp ${SSH} -P 2222 /etc/passwd root@127.0.0.1:${HOME}/copied
echo ls | sftp ${SSH} -P 2222 root@127.0.0.1; printf 'id\\nexit\\n' | ssh -tt ${SSH} -p 2222 root@127.0.0.1; kill $pid; wait $pid; true`,
  },
  {
    title: 'logs are rotated',
    short: true,
    needs: ['logrotate'],
    script: `logrotate -f -s ${HOME}/logrotate.status ${HOME}/logrotate.conf; ls /var/log/noise.log.1*`,
  },
  {
    title: 'a web server under load (nginx, curl)',
    needs: ['nginx'],
    script: `nginx -c ${HOME}/nginx.conf; for i in $(seq 40); do curl -s -o /dev/null http://127.0.0.1:8081/index.html; done
nginx -c ${HOME}/nginx.conf -s reload; nginx -c ${HOME}/nginx.conf -s quit; true`,
  },
  {
    title: 'a backup (tar, rsync)',
    script: `tar -czf ${HOME}/backup.tar.gz -C / usr/share/doc/base-files srv/work/project; rsync -a /usr/share/doc/base-files ${HOME}/mirror
rsync -a --delete ${HOME}/project/ ${HOME}/mirror-project/`,
  },
  {
    title: 'a program is built (make, cc) and installed',
    short: true,
    script: `cd ${HOME}/project; make -s clean all; ./program; make -s install; cd /tmp && cc ${HOME}/project/program.c -o a.out && ./a.out`,
  },
  {
    title: 'sources (git)',
    script: `cd ${HOME}; rm -rf sources clone; git init -q sources; cd sources; git config user.email a@b; git config user.name a
for i in 1 2 3 4 5; do echo $i > $i; git add $i; git commit -qm $i; done; git gc -q; git clone -q . ../clone; git checkout -q HEAD~2`,
  },
  {
    title: 'packages of npm (npm ci)',
    script: `cd ${HOME}/npm; HOME=${HOME}/home npm ci --offline --no-audit --no-fund; ls node_modules`,
  },
  {
    title: 'a server of Python',
    script: `cd ${HOME}/project; /usr/bin/python3 -m http.server 8082 --bind 127.0.0.1 & pid=$!
${until('curl -s -o /dev/null http://127.0.0.1:8082/')}; kill $pid; wait $pid; true`,
  },
  {
    title: 'a program is built (go build)',
    needs: ['go'],
    onMachine: true,
    script: `cd ${HOME}/go; export HOME=${HOME}/home GOCACHE=${HOME}/go/cache GO111MODULE=off; go build -o program program.go; ./program`,
  },
  {
    title: 'a database under load (PostgreSQL)',
    needs: ['psql', 'runuser'],
    onMachine: true,
    script: `bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1); data=${HOME}/database; as() { (cd /tmp; runuser -u postgres -- "$@"); }
install -d -o postgres $data /run/postgresql; as $bin/initdb -D $data/main -A trust
as $bin/pg_ctl -D $data/main -l $data/log -o '-c listen_addresses=127.0.0.1' -w start; as $bin/createdb noise; as $bin/pgbench -q -i noise
as $bin/pgbench -c 2 -t 50 noise; as $bin/psql -h 127.0.0.1 -c 'vacuum analyze' noise; as $bin/pg_dump -f $data/dump noise; as $bin/psql -c "copy pgbench_branches to '$data/copy'" noise
as $bin/pg_ctl -D $data/main reload; as $bin/pg_ctl -D $data/main -m fast -w stop; ls $data/dump $data/copy`,
  },
  {
    title: 'a browser (chromium)',
    needs: ['chromium', 'nginx', 'runuser'],
    onMachine: true,
    script: `nginx -c ${HOME}/nginx.conf; cd ${HOME}/browser; export HOME=${HOME}/browser; for page in index.html program.html; do
runuser -u noise-browser -- chromium --headless --disable-gpu --virtual-time-budget=2000 --dump-dom http://127.0.0.1:8081/$page > $page; done
nginx -c ${HOME}/nginx.conf -s quit; grep 'a page' index.html; grep 'made by a program' program.html`,
  },
  {
    title: 'containers (runc, crun)',
    needs: ['runc', 'crun'],
    script: `cd ${HOME}/bundle; for runtime in runc crun; do $runtime run c-$runtime < /dev/null; $runtime create d-$runtime < /dev/null > /dev/null 2>&1
$runtime start d-$runtime; $runtime delete -f d-$runtime; done; true`,
  },
  {
    title: 'a container of podman',
    needs: ['podman'],
    script: `cd ${HOME}; export HOME=${HOME}/home; mkdir -p $HOME; p="podman --root ${HOME}/podman --runroot /run/noise-podman --cgroup-manager cgroupfs --storage-driver overlay"
$p import bundle.tar noise:1; $p build --network none -t noise:2 image; $p run --rm --network none noise:2 /bin/busybox echo hello
$p run -d --name noise --network none noise:2 /bin/busybox sleep 1000; $p exec noise /bin/busybox id; $p stop -t 1 noise; $p rm noise; $p images | grep localhost/noise`,
  },
  {
    title: 'an image and containers of Docker',
    needs: ['dockerd', 'docker'],
    onMachine: true,
    script: `cd ${HOME}; export HOME=${HOME}/home DOCKER_HOST=unix:///run/noise-docker.sock
dockerd --data-root ${HOME}/docker --exec-root /run/noise-docker --pidfile ${HOME}/docker.pid -H $DOCKER_HOST --bridge none --iptables=false --ip-forward=false > docker.log 2>&1 & pid=$!
${until('docker info > /dev/null 2>&1')}; docker import bundle.tar noise:1; docker build --network none -t noise:2 image; docker run --rm --network none noise:2 /bin/busybox echo hello
docker run -d --name noise --network none noise:2 /bin/busybox sleep 1000; docker exec noise /bin/busybox id; docker logs noise; docker stop -t 1 noise; docker rm noise
docker images | grep ^noise; kill $pid; wait $pid; true`,
  },
  {
    title: 'the machine is looked at',
    script: `ip address; ss -tln; ping -c 1 127.0.0.1; find /usr/share/doc -maxdepth 2 -name '*.gz' | head -50 | xargs zcat | grep -c the; journalctl --version; lsof -v; mount; dmesg | tail -1; true`,
  },
  {
    title: 'temporary files and the state of systemd',
    script: `systemd-tmpfiles --create --prefix=/run/noise ${HOME}/tmpfiles.conf; systemd-sysusers ${HOME}/sysusers.conf; systemd-cat true; ldconfig; true`,
  },
  { title: 'a minute without work', script: 'sleep 60' },
  {
    // the last one: it changes what runs in the guest
    title: 'the machine boots with its services (systemd)',
    needs: ['systemctl'],
    onMachine: true,
    script: `kill -USR1 1; state() { systemctl is-system-running 2> /dev/null; }; for i in $(seq 5000); do case $(state) in running|degraded) break ;; esac; sleep 0.1; done
systemctl list-units --failed --no-legend --plain; case $(state) in running|degraded) ;; *) systemctl list-jobs; exit 1 ;; esac`,
  },
];

const write = (path: string, lines: readonly string[], mode = 0o644): void => {
  mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true });
  writeFileSync(path, `${lines.join('\n')}\n`, { mode });
};
const run = (script: string): void => {
  execFileSync('bash', ['-ec', script], { stdio: ['ignore', 'ignore', 'inherit'] });
};

/** The parameter of the kernel with which the guest is as a machine of its own; see test/vm/init.sh. */
export const MACHINE = readFileSync('/proc/cmdline', 'utf8').trim().split(' ').includes('vm.systemd');

/** Makes /usr and /var writable, and all files that the tasks use. A machine of its own gets a disk for them. */
export function prepareTasks(): void {
  if (MACHINE) run('modprobe loop; truncate -s 900M /run/disk; mkfs.ext4 -q /run/disk; mount -o loop /run/disk /srv');
  else
    run(`modprobe overlay; mkdir -p /run/layers; mount -t tmpfs layers /run/layers
for name in usr var; do mkdir -p /run/layers/$name /run/layers/$name.work
mount -t overlay -o lowerdir=/$name,upperdir=/run/layers/$name,workdir=/run/layers/$name.work overlay /$name; done`);
  // systemd sets a clock that is far ahead of this file to its time
  write('/usr/lib/clock-epoch', []);
  mkdirSync(HOME, { recursive: true });
  for (const version of ['1', '2']) preparePackage(version);
  prepareRepository();
  write('/etc/cron.d/noise', ['@reboot root touch /run/cron-root', '@reboot nobody touch /run/shared/cron-nobody']);
  run('mkdir -p /run/shared; chmod 1777 /run/shared; ln -sf shared/cron-nobody /run/cron-nobody');
  run(
    `mkdir -p -m 700 /root/.ssh; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys; ssh-keygen -A`,
  );
  write('/etc/sudoers.d/noise', ['root ALL=(ALL) NOPASSWD: ALL'], 0o440);
  write(`${HOME}/logrotate.conf`, ['/var/log/noise.log {', '  rotate 2', '  compress', '  create', '}']);
  write('/var/log/noise.log', ['a line']);
  write(`${HOME}/nginx.conf`, [
    `error_log ${HOME}/nginx-error.log; pid ${HOME}/nginx.pid; worker_processes 2; events {}`,
    `http { access_log ${HOME}/nginx-access.log; server { listen 8081; root ${HOME}/www; } }`,
  ]);
  write(`${HOME}/www/index.html`, ['<p>a page']);
  write(`${HOME}/www/program.html`, ['<p id=p></p>', '<script>p.textContent = "made by a " + "program"</script>']);
  run(`useradd -r -d ${HOME}/browser noise-browser; install -d -o noise-browser ${HOME}/browser`);
  write(`${HOME}/go/program.go`, ['package main', 'func main() { println("built") }']);
  write(`${HOME}/project/program.c`, ['#include <stdio.h>', 'int main(void) { puts("built"); return 0; }']);
  write(`${HOME}/project/Makefile`, [
    'all: program',
    'program: program.c',
    '\tcc -O2 -o $@ $<',
    'install:',
    '\tinstall -D -m 755 program /srv/bin/program',
    'clean:',
    '\trm -f program',
  ]);
  write(`${HOME}/npm/part/package.json`, [
    '{ "name": "part", "version": "1.0.0", "scripts": { "install": "node -e 1" } }',
  ]);
  run(`cd ${HOME}/npm; HOME=${HOME}/home npm pack --silent ./part > /dev/null
echo '{ "name": "whole", "version": "1.0.0", "dependencies": { "part": "file:part-1.0.0.tgz" } }' > package.json
HOME=${HOME}/home npm install --offline --no-audit --no-fund --silent > /dev/null; rm -r node_modules`);
  prepareBundle();
  write(`${HOME}/image/Dockerfile`, [
    'FROM noise:1',
    'COPY Dockerfile /srv/file',
    'RUN ["/bin/busybox", "touch", "/srv/made"]',
  ]);
  write(`${HOME}/tmpfiles.conf`, ['d /run/noise 0755 root root -']);
  write(`${HOME}/sysusers.conf`, ['u noised - "A service"']);
}

/** A package as that of a service: a program, a job, a unit, a module of PAM, an account, a set-user-id bit. */
function preparePackage(version: string): void {
  const root = `${HOME}/package-${version}`;
  write(`${root}/usr/bin/noise`, ['#!/bin/sh', `echo ${version}`], 0o755);
  write(`${root}/usr/lib/systemd/system/noise.service`, ['[Service]', 'ExecStart=/usr/bin/noise']);
  for (const path of [
    'cron.d/noise-package',
    'pam.d/noise',
    'sudoers.d/noise-package',
    'init.d/noise',
    'profile.d/noise.sh',
  ]) {
    write(`${root}/etc/${path}`, [`# of version ${version}`], path.startsWith('init.d') ? 0o755 : 0o644);
  }
  const lines = [
    'Package: noise',
    `Version: ${version}`,
    'Architecture: all',
    'Maintainer: a <a@b>',
    'Description: a test',
  ];
  write(`${root}/DEBIAN/control`, lines);
  const script = `#!/bin/sh
set -e
getent passwd noised2 > /dev/null || useradd --system noised2
chmod 4755 /usr/bin/noise; chown root:root /usr/bin/noise; ldconfig; mkdir -p /var/lib/noise; echo a > /etc/ld.so.conf.d/noise.conf`;
  write(`${root}/DEBIAN/postinst`, script.split('\n'), 0o755);
  write(`${root}/DEBIAN/prerm`, ['#!/bin/sh', 'rm -f /etc/ld.so.conf.d/noise.conf'], 0o755);
  mkdirSync(`${HOME}/repo`, { recursive: true });
  run(`dpkg-deb --root-owner-group -b ${root} ${HOME}/repo/noise_${version}_all.deb > /dev/null`);
}

function prepareRepository(): void {
  run(`cd ${HOME}/repo; for deb in *.deb; do dpkg-deb -f $deb; echo "Filename: ./$deb"; echo "Size: $(stat -c %s $deb)"
echo "SHA256: $(sha256sum $deb | cut -d' ' -f1)"; echo; done > Packages
echo 'deb [trusted=yes] file:${HOME}/repo ./' > ${HOME}/noise.list; : > ${HOME}/empty.list; mkdir -p ${HOME}/parts
echo '-o Dir::Etc::sourcelist=${HOME}/noise.list -o Dir::Etc::sourceparts=${HOME}/parts -o APT::Sandbox::User=root --allow-downgrades' > ${HOME}/apt-options`);
}

function prepareBundle(): void {
  if (!existsSync('/usr/sbin/runc') && !existsSync('/usr/bin/runc')) return;
  run(`mkdir -p ${HOME}/bundle/rootfs/bin ${HOME}/bundle/rootfs/etc; cp /bin/busybox ${HOME}/bundle/rootfs/bin/; cp /etc/passwd ${HOME}/bundle/rootfs/etc/
tar -C ${HOME}/bundle/rootfs -cf ${HOME}/bundle.tar .; cd ${HOME}/bundle; runc spec
sed -i 's#"sh"#"/bin/busybox", "true"#; s#"terminal": true#"terminal": false#' config.json`);
}
