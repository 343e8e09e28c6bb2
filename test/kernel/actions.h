/* Carries out the actions on standard input; 0 when all could be done. */
int run_batch(void);
