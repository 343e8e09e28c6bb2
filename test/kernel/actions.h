/* Carries out the actions on standard input; 0 when all could be done. */
int run_batch(void);
/* The part of an action that a program of its own carries out. */
void run_marked(const char *name);
void run_leading(char *name, char *follower);
