/*
 * The bound of a JSON line: what a program in C needs for the same bytes from the same records, if it knows only the
 * records of bench/realistic.mts. lines RECORDS EVENTS BOOTED_NS NODE [FILE] formats EVENTS events into a buffer, which
 * it writes into FILE when it is full, and prints the nanoseconds of processor time for each event.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../bpf/abi.h"

#define PIDS 65536
#define BUFFER (256 * 1024)
#define LINE_MAX 8192

/* A process as it stands in its own events, and in those of its children. */
struct process {
	char own[2560], relative[1152];
	u32 own_length, relative_length;
	char exec_id[96];
	struct process *parent;
};

static struct process *processes[PIDS];
static u64 booted_ns;
static const char *node;
static char tail[256]; /* the end of a line, up to the time */
static u32 tail_length;

static char *put(char *at, const char *text, u32 length)
{
	memcpy(at, text, length);
	return at + length;
}
#define PUT(at, text) put(at, text, sizeof(text) - 1)

static char *put_time(char *at, u64 boot_ns)
{
	static u64 last = ~0ULL;
	static char second[32];
	u64 ns = boot_ns + booted_ns;
	u32 rest = ns % 1000000000;

	if (ns / 1000000000 != last) {
		time_t seconds = last = ns / 1000000000;
		strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S.", gmtime(&seconds));
	}
	at = put(at, second, 20);
	for (int i = 8; i >= 0; i--, rest /= 10)
		at[i] = '0' + rest % 10;
	at[9] = 'Z';
	return at + 10;
}

static void encode_base64(char *to, const char *from, u32 length)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (u32 i = 0; i < length; i += 3) {
		u32 bits = (u8)from[i] << 16 | (i + 1 < length ? (u8)from[i + 1] << 8 : 0) |
			   (i + 2 < length ? (u8)from[i + 2] : 0);
		for (int j = 0; j < 4; j++)
			*to++ = i + j > length ? '=' : digits[bits >> (18 - 6 * j) & 63];
	}
	*to = 0;
}

static struct process *add_process(const struct event_exec *event)
{
	const char *record = (const char *)event;
	struct process *process = calloc(1, sizeof(*process));
	char id[64], arguments[512] = "", fields[1024];
	u32 skipped = strlen(record + event->argv_offset) + 1;

	free(processes[event->key.tgid]);
	processes[event->key.tgid] = process;
	process->parent = processes[event->parent_tgid];
	encode_base64(process->exec_id, id,
		      sprintf(id, "%s:%llu:%u", node, (unsigned long long)event->header.time, event->key.tgid));
	if (skipped < event->argv_length) {
		memcpy(arguments, record + event->argv_offset + skipped, event->argv_length - skipped);
		for (u32 i = 0; i + 1 < event->argv_length - skipped; i++)
			if (!arguments[i])
				arguments[i] = ' ';
	}
	char *end = fields +
		    sprintf(fields, "{\"exec_id\":\"%s\",\"pid\":%u,\"uid\":%u,\"cwd\":\"%.*s\",\"binary\":\"%.*s\",",
			    process->exec_id, event->key.tgid, event->creds.euid, event->cwd.length,
			    record + event->cwd.offset, event->filename.length, record + event->filename.offset);
	if (*arguments)
		end += sprintf(end, "\"arguments\":\"%s\",", arguments);
	end += sprintf(end, "\"flags\":\"execve clone%s\",\"start_time\":\"", event->cwd.length == 1 ? " rootcwd" : "");
	end = put_time(end, event->header.time);
	end += sprintf(end, "\",\"auid\":%u", event->auid);
	if (process->parent)
		end += sprintf(end, ",\"parent_exec_id\":\"%s\"", process->parent->exec_id);
	sprintf(end, ",\"tid\":%u", event->key.tgid);
	process->relative_length = sprintf(process->relative, "%s}", fields);
	process->own_length = sprintf(process->own, "\"process\":%s,\"in_init_tree\":false}", fields);
	if (process->parent)
		process->own_length +=
			sprintf(process->own + process->own_length, ",\"parent\":%s", process->parent->relative);
	return process;
}

static const char *permissions(u32 mode)
{
	static char text[11];

	if (!text[0])
		for (int i = 0; i < 10; i++)
			text[i] = !i ? '-' : mode >> (9 - i) & 1 ? "xwr"[(9 - i) % 3] : '-';
	return text;
}

static char *put_event(char *at, const struct event_header *header)
{
	const struct event_hook *hook = (const struct event_hook *)header;
	const struct process *process;

	if (header->type == EVENT_EXEC) {
		process = add_process((const void *)header);
		at = PUT(at, "{\"process_exec\":{");
		at = put(at, process->own, process->own_length);
	} else {
		const struct value *file = (const struct value *)(hook + 1), *mask = file + 1;

		process = processes[hook->key.tgid];
		at = PUT(at, "{\"process_kprobe\":{");
		at = put(at, process->own, process->own_length);
		at = PUT(at, ",\"function_name\":\"security_file_permission\",\"args\":[{\"file_arg\":{\"path\":\"");
		for (u32 i = 0; i < file->string.length; i++) {
			char c = ((const char *)header)[file->string.offset + i];
			if (c < ' ' || c == '"' || c == '\\' || c == 127)
				abort(); /* no path of these records has to be escaped */
			*at++ = c;
		}
		at = PUT(at, "\",\"permission\":\"");
		at = put(at, permissions(file->mode), 10);
		at = PUT(at, "\"}},{\"int_arg\":");
		at += sprintf(at, "%d", (s32)mask->value);
		at = PUT(at, "}],\"action\":\"KPROBE_ACTION_POST\",\"policy_name\":\"bench\","
			     "\"return_action\":\"KPROBE_ACTION_POST\",\"message\":\"A file was "
			     "read\",\"tags\":[\"files\"]");
	}
	at = put(at, tail, tail_length);
	at = put_time(at, header->time);
	return PUT(at, "\"}\n");
}

int main(int argc, char **argv)
{
	static char records[64 << 20], buffer[BUFFER];
	struct timespec start, end;
	u64 events = argc > 4 ? strtoull(argv[2], NULL, 10) : 0, done = 0;
	int in = events ? open(argv[1], O_RDONLY) : -1;
	ssize_t size = read(in, records, sizeof(records));
	int out = argc > 5 ? open(argv[5], O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;

	if (size <= 0 || (argc > 5 && out < 0))
		return 1;
	booted_ns = strtoull(argv[3], NULL, 10);
	node = argv[4];
	tail_length = sprintf(tail, "},\"node_name\":\"%s\",\"time\":\"", node);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	while (done < events) {
		char *at = buffer;

		for (ssize_t next = 0; next < size && done < events; done++) {
			const struct event_header *header = (const void *)(records + next);

			if (at > buffer + BUFFER - LINE_MAX) {
				if (out >= 0 && write(out, buffer, at - buffer) != at - buffer)
					return 1;
				at = buffer;
			}
			at = put_event(at, header);
			next += (header->size + 7) & ~7u;
		}
		if (out >= 0 && write(out, buffer, at - buffer) != at - buffer)
			return 1;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	printf("%.1f\n", ((end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec)) / events);
	return 0;
}
