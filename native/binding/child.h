// Starts the command of `polytrace run`: it waits between fork and exec, so that nothing of it is missed.
#pragma once

#include <napi.h>

namespace polytrace {

// Gets the arguments, the environment (NAME=VALUE), the ids (uid, gid and the groups, or null to keep those of this
// process), and null, or whether standard input, output and error were blocking when this process began: all
// descriptors that it got then go to the child, too. Forks and returns the process id. The child waits until
// release_child.
Napi::Value start_child(const Napi::CallbackInfo& info);

// Gets the process id. The child executes its program. Returns the descriptor of a pipe that now belongs to the caller:
// it has the errno of a failed exec (an int), and ends without a byte when the exec has succeeded. An exec on a file
// system that does not answer takes any time, so nobody waits here. -1 if no such child waits.
Napi::Value release_child(const Napi::CallbackInfo& info);

// Gets the process id. Returns null while the child runs, and else [exit status, signal]. Never waits.
Napi::Value reap_child(const Napi::CallbackInfo& info);

// Gets the process id. Signals that another process sends to this one go to the child. The signals of a terminal reach
// the child anyway. 0 restores the former handlers.
Napi::Value forward_signals(const Napi::CallbackInfo& info);

// Gets the number of a signal, and ends this process by it, without a core file.
Napi::Value end_by_signal(const Napi::CallbackInfo& info);

// Gets the name or the id of a user. Returns [name, uid, gid, home, shell, groups], or null.
Napi::Value find_user(const Napi::CallbackInfo& info);

}  // namespace polytrace
