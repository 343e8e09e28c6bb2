/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Whether the name of a cgroup says that it is the cgroup of a container. The rules are those of lib/containers/identify.ts.
 * The base sensor applies them to new cgroups, the addon to those that exist already. Include it after the short type names.
 */
#ifndef POLYTRACE_CONTAINER_NAME_H
#define POLYTRACE_CONTAINER_NAME_H

enum {
	CGROUP_NAME_ROOM = 256, /* most file systems have no longer names; cgroups can */
	CONTAINER_ID_DIGITS = 64,
};

#ifdef __BPF__
#define NAME_INLINE static __attribute__((always_inline)) inline
/* stops the verifier from following each text with another value */
#define NAME_HIDE(value) asm volatile("" : "+r"(value))
#else
#define NAME_INLINE static inline
#define NAME_HIDE(value)
#endif

/* Positions wrap around: this bound needs no branch. */
NAME_INLINE u8 name_byte(const u8 *name, u32 at)
{
	at &= CGROUP_NAME_ROOM - 1;
	NAME_HIDE(at);
	return name[at & (CGROUP_NAME_ROOM - 1)];
}

/* Whether `text` is there. `size` is that of the literal, with its NUL. */
NAME_INLINE bool name_has(const u8 *name, u32 at, const char *text, u32 size)
{
	u32 differs = 0;

	for (u32 i = 0; i < size - 1; i++)
		differs |= name_byte(name, at + i) ^ (u8)text[i];
	NAME_HIDE(differs);
	return differs == 0;
}

#define NAME_HAS(name, at, text) name_has(name, at, text, sizeof(text))
#define NAME_BEGINS(name, length, text) ((length) >= sizeof(text) && NAME_HAS(name, 0, text))
#define NAME_ENDS(name, length, text) ((length) >= sizeof(text) && NAME_HAS(name, (length) - (sizeof(text) - 1), text))

NAME_INLINE bool name_is_id(const u8 *name, u32 at)
{
	u32 others = 0;

	for (u32 i = 0; i < CONTAINER_ID_DIGITS; i++) {
		u32 byte = name_byte(name, at + i), digit, letter;

		NAME_HIDE(byte);
		/* the highest bit is set outside of the range: no branch, which the verifier would follow to both sides */
		digit = (byte - '0') | ('9' - byte);
		letter = (byte - 'a') | ('f' - byte);
		others |= digit & letter;
	}
	others >>= 31;
	NAME_HIDE(others);
	return others == 0;
}

/* `end`: where the name of a runtime ends. It is the whole name until there, or follows a colon. */
NAME_INLINE bool name_is_runtime(const u8 *name, u32 end, const char *text, u32 size)
{
	u32 start = end - (size - 1);

	if (end < size - 1 || !name_has(name, start, text, size))
		return false;
	return start == 0 || name_byte(name, start - 1) == ':';
}

#define NAME_IS_RUNTIME(name, end, text) name_is_runtime(name, end, text, sizeof(text))

/* `docker-ID.scope`, `SLICE:docker:ID`, `libpod-ID`; or the id alone. */
NAME_INLINE bool name_ends_in_id(const u8 *name, u32 length)
{
	bool scope = NAME_ENDS(name, length, ".scope");
	u32 end = length - (scope ? sizeof(".scope") - 1 : 0), at = end - CONTAINER_ID_DIGITS;
	u8 before;

	if (end < CONTAINER_ID_DIGITS || !name_is_id(name, at))
		return false;
	if (at == 0)
		return !scope;
	before = name_byte(name, at - 1);
	if (before != '-' && before != ':')
		return false;
	return NAME_IS_RUNTIME(name, at - 1, "docker") || NAME_IS_RUNTIME(name, at - 1, "cri-containerd") ||
	       NAME_IS_RUNTIME(name, at - 1, "crio") || NAME_IS_RUNTIME(name, at - 1, "libpod");
}

/* `name` has CGROUP_NAME_ROOM bytes, of which `length` are the name. */
NAME_INLINE bool names_container(const u8 *name, u32 length)
{
	const u32 machine = sizeof("machine-") - 1, payload = sizeof("lxc.payload") - 1;
	u8 after;

	if (name_ends_in_id(name, length))
		return true;
	if (NAME_BEGINS(name, length, "systemd-nspawn@"))
		return length > sizeof("systemd-nspawn@.service") - 1 && NAME_ENDS(name, length, ".service");
	/* libvirt has virtual machines there: this kernel does not see their processes */
	if (NAME_BEGINS(name, length, "machine-"))
		return length > sizeof("machine-.scope") - 1 && NAME_ENDS(name, length, ".scope") &&
		       !NAME_HAS(name, machine, "qemu");
	if (!NAME_BEGINS(name, length, "lxc.payload"))
		return false;
	after = name_byte(name, payload);
	return length > payload + 1 && (after == '.' || after == '-');
}

#endif
