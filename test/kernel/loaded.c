/* A library whose build id is known. */
int loaded;
