/*
 * The table of orders: SITE(name, file, what stands there), and SPARE(name, file, what stands there, enough).
 *
 * What stands there names one place in the file, and holds the call of the fence. Where the code has more than the models
 * need, it is a SPARE: `enough` is the weakest that they pass with, and a comment says why the code has more.
 */
#ifndef SPARE
#define SPARE(name, file, stands, enough) SITE(name, file, stands)
#endif

/* The mailbox. */
SITE(TRY_LOAD, "mailbox/mailbox.h", "ck_pr_fence_load(); /* a backlog not older")
SITE(TRY_RELEASE, "mailbox/mailbox.h", "ck_pr_fence_release(); /* the message before the word")
SITE(TRY_ACQUIRE, "mailbox/mailbox.h", "ck_pr_fence_acquire(); /* the state the last runner left")
/* What a signal is about was released with the signal; others who poke may have more to tell. */
SPARE(POKE_RELEASE, "mailbox/mailbox.h", "ck_pr_fence_release(); /* what was written for the actor before the poke",
    STORE_FENCE)
SITE(POKE_ACQUIRE, "mailbox/mailbox.h", "ck_pr_fence_acquire();\n    return TRI_PUSHED_IDLE;")
SITE(IDLE_RELEASE, "mailbox/mailbox.h", "ck_pr_fence_release(); /* the actor's state before IDLE")
SITE(SINGLE_ACQUIRE, "mailbox/mailbox.h", "ck_pr_fence_acquire(); /* the message; pairs")
SITE(PUSH_REFUSED, "mailbox/mailbox.c", "ck_pr_fence_acquire(); /* what was done before the end")
SITE(PUSH_LOAD, "mailbox/mailbox.c", "ck_pr_fence_load(); /* a backlog not older")
SITE(PUSH_RELEASE, "mailbox/mailbox.c", "ck_pr_fence_release(); /* the messages before the word")
SITE(PUSH_ACQUIRE, "mailbox/mailbox.c", "ck_pr_fence_acquire(); /* the state the last runner left")
SITE(DRAIN_STORE, "mailbox/mailbox.c", "ck_pr_fence_store_atomic();")
SITE(DRAIN_ACQUIRE, "mailbox/mailbox.c", "TRI_WORD_EMPTY, &word));\n    ck_pr_fence_acquire();")
SITE(CLOSE_RELEASE, "mailbox/mailbox.c", "ck_pr_fence_release(); /* pairs with the acquire fence of a push that is refused")
SITE(CLOSE_ACQUIRE, "mailbox/mailbox.c", "TRI_WORD_CLOSED);\n    ck_pr_fence_acquire();")
SITE(OPEN_RELEASE, "mailbox/mailbox.c", "ck_pr_fence_release(); /* pairs with the acquire fence of a sender that reads")
SITE(OPEN_STORE, "mailbox/mailbox.c", "ck_pr_fence_store(); /* and who reads the new generation")
SITE(FIND_ACQUIRE, "actors/slot.h", "ck_pr_fence_acquire(); /* pairs with tri_mailbox_open")
SITE(RAISE_RELEASE, "actors/slot.h", "ck_pr_fence_release(); /* what the signal is about")
SITE(SIGNALS_ACQUIRE, "actors/slot.h", "ck_pr_fence_acquire(); /* pairs with tri_slot_raise")

/* The run queue, and what is next. */
SITE(RING_PUSH, "sched/run_ring.h", "ck_pr_fence_release(); /* not a store fence")
/* Without it the tail may be behind the head; the thief sees that and looks again, as if it had been slow. */
SPARE(STEAL_HEAD, "sched/run_ring.h", "ck_pr_fence_load(); /* head before tail", NONE)
SITE(STEAL_TAIL, "sched/run_ring.h", "ck_pr_fence_acquire(); /* tail before slots")
SITE(STEAL_SLOTS, "sched/run_ring.h", "ck_pr_fence_load_atomic();")
SITE(STEAL_TELL, "sched/run_ring.h", "ck_pr_fence_release(); /* for the next thief")
SITE(NEXT_PUT, "sched/worker.h", "ck_pr_fence_release(); /* the runnable before the pointer")
SITE(NEXT_DISPLACE, "sched/worker.c", "ck_pr_fence_release(); /* the runnable before the pointer")
SITE(NEXT_TAKE, "sched/worker.h", "NULL) : NULL;\n    ck_pr_fence_acquire();")

/* Parking, waking, stopping, and the monitor. */
SITE(DELIVER_RELEASE, "sched/worker.c", "ck_pr_fence_release();\n    ck_stack_push_upmc(&home->inbox")
SITE(DELIVER_LOOK, "sched/worker.c", "ck_pr_fence_atomic_load(); /* publish, fence, look")
SITE(SLEEP_LOOK, "sched/worker.c", "ck_pr_fence_atomic_load();\n    return nothing_came")
SITE(INJECT_LOOK, "sched/sched.c", "ck_pr_fence_memory(); /* publish, fence, look")
SITE(WAKE_HANDS_ON, "sched/sched.c", "ck_pr_fence_atomic(); /* the permission to search before the state")
SITE(WAKE_AGAIN, "sched/sched.c", "ck_pr_fence_memory(); /* somebody may have left")
/* The permission to search orders nothing; what is found is ordered by the rings. As a lock it lets go like one. */
SPARE(SEARCH_END, "sched/worker.c", "ck_pr_fence_release();\n    ck_pr_store_32(&worker->sched->searchers", NONE)
SITE(STOP_LOOK, "sched/sched.c", "ck_pr_fence_memory(); /* pairs with the fence in announce_sleep")
SITE(GET_UP_LOOK, "sched/worker.c", "ck_pr_fence_atomic_load(); /* RUNNING before the look")
SITE(MONITOR_SLEEP, "sched/monitor.c", "ck_pr_fence_memory(); /* pairs with the one in tri_worker_get_up")

/* Promises. */
SITE(DROP_RELEASE, "actors/promise.c", "ck_pr_fence_release(); /* out of the list and stale before DROPPED")
SITE(DROP_ACQUIRE, "actors/promise.c", "ck_pr_fence_acquire(); /* pairs with the keeper's release fence")
/* Whoever has the message in hand has it from a mailbox, or was refused by one, and has acquired by that what its holder
 * did. */
SPARE(HANDLED_ACQUIRE, "actors/promise.c", "ck_pr_fence_acquire(); /* pairs with the release fence in tri_promise_drop, by",
    NONE)
SITE(KEEP_ACQUIRE, "actors/promise.h", "ck_pr_fence_acquire(); /* dropped, and perhaps ours")
/* The holder of an ARMED monitor writes only to what its keeper has written; this holds if it should once write to more. */
SPARE(ANSWER_RELEASE, "actors/monitor.c", "ck_pr_fence_release(); /* in the list before ARMED", STORE_FENCE)
SITE(ANSWER_ACQUIRE, "actors/monitor.c", "ck_pr_fence_acquire(); /* pairs with the release fence in tri_promise_drop")

/* Guests, the living, buffers, blocks. */
SITE(TABLE_RELEASE, "actors/system.c", "ck_pr_fence_release(); /* the system before the pointer")
SITE(TABLE_LOOK, "actors/system.c", "ck_pr_fence_memory(); /* pairs with the fence in tri_system_enter")
SITE(TABLE_ACQUIRE, "actors/system.c", "sched_yield(); /* guests stay for one push */\n    ck_pr_fence_acquire();")
SITE(ENTER_LOOK, "actors/system.c", "ck_pr_fence_atomic_load(); /* pairs with the fence in leave_table")
SITE(ENTER_ACQUIRE, "actors/system.c", "ck_pr_fence_acquire(); /* pairs with enter_table")
SITE(LEAVE_RELEASE, "actors/system.c", "ck_pr_fence_release();\n    ck_pr_dec_32(&entries")
SITE(TR_STOP_LOOK, "actors/system.c", "ck_pr_fence_memory(); /* pairs with the fence in tri_system_attach")
SITE(ATTACH_LOOK, "actors/system.c", "ck_pr_fence_memory();\n    if (ck_pr_load_32(&handle->stop_")
SITE(LIVING_LOAD, "actors/system.c", "ck_pr_fence_load(); /* pairs with the fence in tri_slot_release")
SITE(ENDED_AFTER, "actors/slot.c", "ck_pr_fence_release(); /* what it spawned, perhaps on another worker")
SITE(ALIVE_IDENTITY, "actors/slot.c", "ck_pr_fence_load(); /* the slot's next actor has its identity")
SITE(SPAWN_RELEASE, "actors/life.c", "ck_pr_fence_release(); /* that its last actor's mailbox is closed")
SITE(OWNER_WORD, "io/owner.c", "ck_pr_fence_load(); /* an incarnation of the slot's next actor")
SITE(OWNER_IDENTITY, "io/owner.c", "ck_pr_fence_load(); /* ... and its identity")
SITE(BUF_RELEASE, "mailbox/buf.c", "ck_pr_fence_release(); /* pairs with the acquire fences here")
SITE(BUF_ACQUIRE, "mailbox/buf.c", "return;\n        ck_pr_fence_acquire();")
SITE(BUF_ALONE, "mailbox/buf.c", "ck_pr_fence_acquire(); /* pairs with the release fence in drop")
SITE(HOME_RELEASE, "mailbox/pool.c", "ck_pr_fence_release(); /* pairs with the acquire fence in collect")
SITE(HOME_ACQUIRE, "mailbox/pool.c", "ck_pr_fence_acquire(); /* pairs with the release fence in send_home")

/* What is lent to those who rescue what a held worker has. */
SITE(LENT_ENTER, "sched/possession.h", "ck_pr_fence_acquire(); /* pairs with tri_possession_give_back")
SITE(LENT_LEAVE, "sched/possession.h", "ck_pr_fence_release(); /* pairs with tri_possession_take")
SITE(LENT_TAKE, "sched/possession.c", "ck_pr_fence_acquire(); /* pairs with tri_possession_leave")
SITE(LENT_GIVE_BACK, "sched/possession.c", "ck_pr_fence_release(); /* pairs with tri_possession_enter")
SITE(OUTBOX_BEGIN, "actors/outbox.c", "ck_pr_fence_release(); /* as in tri_outbox_add")
SITE(OUTBOX_ADD, "actors/outbox.h", "ck_pr_fence_release(); /* the message, and what was read")
SITE(OUTBOX_RESCUE, "actors/outbox.c", "ck_pr_fence_acquire(); /* the messages, and whom they are for")

/* Names. */
SITE(NAME_FIND, "actors/name.c", "ck_pr_fence_load(); /* nothing of an earlier version")
SITE(NAME_AGAIN, "actors/name.c", "ck_pr_fence_load(); /* nothing of a later one")
SITE(NAME_BEGIN, "actors/name.c", "ck_pr_fence_store(); /* before anything that is changed")
SITE(NAME_END, "actors/name.c", "ck_pr_fence_release(); /* after all of it, and after")
SITE(NAME_TABLE, "actors/name.c", "ck_pr_fence_load(); /* pairs with the store fence in grow")
SITE(NAME_GROW, "actors/name.c", "ck_pr_fence_store(); /* the table before the way to it")
SITE(NAME_SHOW, "actors/name.c", "ck_pr_fence_release(); /* the open mailbox")
SITE(NAME_WHO, "actors/name.c", "ck_pr_fence_acquire(); /* the mailbox is open")

#undef SPARE
