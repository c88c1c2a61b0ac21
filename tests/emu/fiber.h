/* fiber.h - stacks that take turns on one thread of the host. */
#ifndef BD_EMU_FIBER_H
#define BD_EMU_FIBER_H

struct fiber;

extern struct fiber *fiber_now; /* the one that runs */
struct fiber *fiber_home(void); /* whoever is on no stack of ours */

/* One that nobody uses.  A new one begins with main, which calls fiber_begun first and never
 * returns; one that was given back goes on where it was. */
struct fiber *fiber_take(void (*main)(void));
void fiber_give(struct fiber *f);
void fiber_begun(void);

/* Runs `to`; comes back when somebody runs the caller. */
void fiber_go(struct fiber *to);
/* Whether p is where the stack of the one that runs has ended. */
bool fiber_past_stack(const void *p);

#endif
