/* Runs the actions on standard input. Returns 0 if all succeed. */
int run_batch(void);
/* The part of an action that runs in another program. */
void run_marked(const char *name);
void run_leader(char *name, char *follower);
