/* lib_shell.h - the program in a shell, as people have it.
 *
 * The program lies beside the folder of the suites; the Makefile builds it before a suite that
 * starts it. */
#ifndef BD_TESTS_LIB_SHELL_H
#define BD_TESTS_LIB_SHELL_H

const char *shell_program_dir(void);
void shell_need(const char *shell); /* skips the test where it is not installed */
/* What a script prints, with the program on its PATH, the root of the tree in $ROOT, and runs and
 * data in tmp_dir(); xfree.  It lies in tmp_dir() itself.  Its failure is the test's. */
char *shell_says(const char *shell, const char *script);

#endif
