# The table of mutations: what is broken on purpose, and the test that must notice.
#
#   mutation(NAME FILE file OLD [[…]] NEW [[…]] [FILE … OLD … NEW …] TEST program FILTER suite/test [TRIES n] [DEFAULT])
#
# OLD must stand in the file exactly once. TEST is the test's source, without .c, below tests/. TRIES: how often the test may
# be run until it fails, for mistakes that show only when two threads meet at the wrong moment. DEFAULT: belongs to the
# default run, too; those must be fast.

# ---- mailbox/ ----------------------------------------------------------------------------------------------------------

mutation(idle_is_a_store
  FILE mailbox/mailbox.h
  OLD [[    return ck_pr_cas_64(&box->word, TRI_WORD_EMPTY, TRI_WORD_IDLE);]]
  NEW [[    return ck_pr_store_64(&box->word, TRI_WORD_IDLE), true;]]
  TEST mailbox/mailbox FILTER mailbox/between_threads* TRIES 3)

mutation(schedules_although_empty_was_replaced
  FILE mailbox/mailbox.h
  OLD [[    if (word != TRI_WORD_IDLE)
        return TRI_PUSHED;
    ck_pr_fence_acquire(); /* the state the last runner left]]
  NEW [[    if (tri_word_message(word))
        return TRI_PUSHED;
    ck_pr_fence_acquire(); /* the state the last runner left]]
  TEST mailbox/mailbox FILTER mailbox/between_threads* TRIES 3)

mutation(push_is_a_load_and_a_store
  FILE mailbox/mailbox.h
  OLD [[        ck_pr_fence_release(); /* the message before the word; pairs with the exchange in tri_mailbox_drain */
    } while (!ck_pr_cas_64_value(&box->word, word, next, &word));]]
  NEW [[        ck_pr_store_64(&box->word, next);
    } while (false);]]
  TEST mailbox/mailbox FILTER mailbox/between_threads* TRIES 3)

mutation(push_forgets_a_poke
  FILE mailbox/mailbox.h
  OLD [[word & TRI_WORD_POKE);
        }]]
  NEW [[0);
        }]]
  TEST mailbox/mailbox FILTER mailbox/a_poke_stays*)

mutation(drain_does_not_publish_the_backlog
  FILE mailbox/mailbox.c
  OLD [[    ck_pr_store_32(&box->backlog, lanes->count + tri_word_count(word)); /* before the chain leaves the word */]]
  NEW [[]]
  TEST mailbox/mailbox FILTER mailbox/what_has_been_drained* DEFAULT)

mutation(drain_publishes_the_backlog_too_late
  FILE mailbox/mailbox.c
  OLD [[        ck_pr_store_32(&box->backlog, lanes->count + tri_word_count(word)); /* before the chain leaves the word */
        ck_pr_fence_store_atomic();
    } while (!ck_pr_cas_64_value(&box->word, word, TRI_WORD_EMPTY, &word));]]
  NEW [[    } while (!ck_pr_cas_64_value(&box->word, word, TRI_WORD_EMPTY, &word));
    sched_yield(); /* so that it shows */
    ck_pr_store_32(&box->backlog, lanes->count + tri_word_count(word));]]
  TEST mailbox/mailbox FILTER mailbox/senders_on_n_threads* TRIES 5)

mutation(drain_takes_more_than_it_has_published
  FILE mailbox/mailbox.c
  OLD [[    } while (!ck_pr_cas_64_value(&box->word, word, TRI_WORD_EMPTY, &word));]]
  NEW [[        sched_yield(); /* so that it shows */
    } while (false);
    word = ck_pr_fas_64(&box->word, TRI_WORD_EMPTY);]]
  TEST mailbox/mailbox FILTER mailbox/senders_on_n_threads* TRIES 5)

mutation(close_is_a_load_and_a_store
  FILE mailbox/mailbox.c
  OLD [[    uint64_t word = ck_pr_fas_64(&box->word, TRI_WORD_CLOSED);]]
  NEW [[    uint64_t word = ck_pr_load_64(&box->word);
    ck_pr_store_64(&box->word, TRI_WORD_CLOSED);]]
  TEST mailbox/mailbox FILTER mailbox/what_was_accepted* TRIES 5)

mutation(a_chain_for_another_home_is_lost
  FILE mailbox/pool.c
  OLD [[    if (chain->count && chain->home != home)
        send_chain(chain);]]
  NEW [[    if (chain->count && chain->home != home)
        *chain = (struct tri_outgoing){ 0 };]]
  TEST mailbox/pool FILTER pool/a_worker_may_free*)

mutation(a_full_chain_is_lost
  FILE mailbox/pool.c
  OLD [[    if (chain->count == TRI_OUTGOING_BLOCKS)
        send_chain(chain);]]
  NEW [[    if (chain->count == TRI_OUTGOING_BLOCKS)
        *chain = (struct tri_outgoing){ 0 };]]
  TEST mailbox/pool FILTER pool/blocks_that_travel*)

mutation(blocks_come_home_by_a_store
  FILE mailbox/pool.c
  OLD [[    } while (!ck_pr_cas_ptr_value(&home->returned, old, head, &old));]]
  NEW [[        ck_pr_store_ptr(&home->returned, head);
    } while (false);]]
  TEST mailbox/pool FILTER pool/foreign_threads_that_free* TRIES 5)

mutation(every_holder_frees
  FILE mailbox/buf.c
  OLD [[        if (ck_pr_faa_32(&buf->refs, (uint32_t)-1) != 1)
            return;]]
  NEW [[        ck_pr_faa_32(&buf->refs, (uint32_t)-1);]]
  TEST mailbox/buf FILTER buf/adopted_memory_is_released_once* DEFAULT)

mutation(the_count_of_holders_is_not_atomic
  FILE mailbox/buf.c
  OLD [[        if (ck_pr_faa_32(&buf->refs, (uint32_t)-1) != 1)]]
  NEW [[        uint32_t refs = ck_pr_load_32(&buf->refs);
        ck_pr_store_32(&buf->refs, refs - 1);
        if (refs != 1)]]
  TEST mailbox/buf FILTER buf/holders_on_several_threads* TRIES 5)

mutation(a_shared_buffer_is_joined_in_place
  FILE mailbox/buf.c
  OLD [[    if (!exclusive(first)) {]]
  NEW [[    if (false) {]]
  TEST mailbox/buf FILTER buf/whatever_is_done*)

mutation(a_failed_slice_leaks
  FILE mailbox/buf.c
  OLD [[        if (!piece) {
            tr_buf_unref(slice);
            return NULL;]]
  NEW [[        if (!piece) {
            return NULL;]]
  TEST mailbox/buf FILTER buf/out_of_memory*)

# ---- sched/ ------------------------------------------------------------------------------------------------------------

mutation(park_does_not_look_again
  FILE sched/worker.c
  OLD [[    if (nothing_came(worker))]]
  NEW [[    if (true)]]
  TEST sched/park FILTER park/a_delivery_to_a_worker_that_goes_to_sleep_wakes_it TRIES 5)

mutation(park_does_not_look_at_the_global_list_again
  FILE sched/worker.c
  OLD [[ && !ck_pr_load_32(&worker->sched->global_length) &&]]
  NEW [[ &&]]
  TEST sched/park FILTER park/an_injection_when_the_last* TRIES 5)

# The increment of `sleepers` is park()'s fence on x86: here it is a plain addition, which is right with a single worker.
mutation(park_announces_without_a_fence
  FILE sched/worker.c
  OLD [[    ck_pr_inc_32(&sched->sleepers);
    ck_pr_fence_atomic_load(); /* announce]]
  NEW [[    ck_pr_store_32(&sched->sleepers, ck_pr_load_32(&sched->sleepers) + 1);
    /* announce]]
  TEST sched/park FILTER park/a_delivery_to_a_worker_that_goes_to_sleep_wakes_it TRIES 10)

# Its partner in tri_worker_deliver does not show on x86: inbox and state share a cache line, and a store that waits for
# the line and a load of it are done together. The model has both.

mutation(a_worker_forgets_that_it_was_woken_to_search
  FILE sched/worker.c
  OLD [[    if (ck_pr_fas_uint(&worker->state, TRI_RUNNING) == TRI_NOTIFIED_SEARCH)
        worker->searching = true;]]
  NEW [[    ck_pr_fas_uint(&worker->state, TRI_RUNNING);]]
  TEST sched/park FILTER park/an_injection_when_all*)

mutation(the_permission_to_search_is_not_given_back
  FILE sched/sched.c
  OLD [[        ck_pr_store_32(&sched->searchers, 0);
        ck_pr_fence_memory(); /* somebody may have left]]
  NEW [[        ck_pr_fence_memory(); /* somebody may have left]]
  TEST sched/park FILTER park/foreign_threads_that_inject_and_deliver* TRIES 5)

mutation(the_permission_to_search_is_kept_during_turns
  FILE sched/worker.c
  OLD [[    if (worker->searching) { /* before anything else]]
  NEW [[    if (false) { /* before anything else]]
  TEST sched/monitor FILTER monitor/who_was_woken*)

mutation(the_monitor_does_not_see_the_global_list
  FILE sched/monitor.c
  OLD [[ ||
        ck_pr_load_32(&worker->sched->global_length) > 0;]]
  NEW [[;]]
  TEST sched/monitor FILTER monitor/what_is_left*)

mutation(the_monitor_does_not_say_who_is_stuck
  FILE sched/monitor.c
  OLD [[        ck_pr_store_uint(&worker->stuck, 1);]]
  NEW [[]]
  TEST sched/monitor FILTER monitor/the_one_that*)

mutation(the_monitor_does_not_wake_anybody
  FILE sched/monitor.c
  OLD [[        tri_sched_wake_one(sched);]]
  NEW [[]]
  TEST sched/monitor FILTER monitor/all_that_waits*)

mutation(the_monitor_sleeps_for_ever
  FILE sched/sched.h
  OLD [[        tri_monitor_poke_slowly(sched);]]
  NEW [[        (void)sched;]]
  TEST sched/monitor FILTER monitor/it_sleeps*)

mutation(the_watchdog_names_at_every_look
  FILE sched/monitor.c
  OLD [[    watch->named = true;]]
  NEW [[]]
  TEST sched/monitor FILTER monitor/who_holds*)

mutation(a_thief_ignores_the_cas
  FILE sched/run_ring.h
  OLD [[        if (ck_pr_cas_32_value(&from->head, head, head + count, &head))
            break;]]
  NEW [[        ck_pr_cas_32_value(&from->head, head, head + count, &head);
        break;]]
  TEST sched/run_ring FILTER run_ring/between* TRIES 3)

mutation(the_owner_takes_by_a_store
  FILE sched/run_ring.h
  OLD [[        if (ck_pr_cas_32_value(&ring->head, head, head + 1, &head))
            return entry;]]
  NEW [[        ck_pr_store_32(&ring->head, head + 1);
        return entry;]]
  TEST sched/run_ring FILTER run_ring/between* TRIES 3)

mutation(what_was_made_runnable_last_always_comes_first
  FILE sched/worker.c
  OLD [[    if (worker->in_a_row < TRI_NEXT_IN_A_ROW && (]]
  NEW [[    if ((]]
  TEST sched/worker FILTER worker/two_who*)

mutation(surplus_wakes_nobody
  FILE sched/worker.c
  OLD [[    if (surplus && worker->had_surplus && ck_pr_load_32(&worker->sched->sleepers))
        tri_sched_wake_one(worker->sched);]]
  NEW [[]]
  TEST sched/worker FILTER worker/surplus*)

mutation(nothing_is_something
  FILE sched/sched.c
  OLD [[    if (!list.first) /* its `last` says nothing */
        return;]]
  NEW [[]]
  TEST sched/sched FILTER sched/adding_nothing*)

mutation(the_wheel_fires_early
  FILE sched/wheel.c
  OLD [[            if (timer->deadline > now)
                return false; /* the tick has begun, the deadline has not passed */]]
  NEW [[]]
  TEST sched/wheel FILTER wheel/a_timer_fires* DEFAULT)

mutation(the_wheel_does_not_remove_what_is_cancelled
  FILE sched/wheel.c
  OLD [[    wheel->count--;
    cork_dllist_remove(&timer->link);]]
  NEW [[    wheel->count--;]]
  TEST sched/wheel FILTER wheel/a_timer_fires*)

mutation(the_wheel_does_not_sort
  FILE sched/wheel.c
  OLD [[                sort_slot(list);]]
  NEW [[]]
  TEST sched/wheel FILTER wheel/does_what*)

mutation(the_wheel_sorts_once_only
  FILE sched/wheel.c
  OLD [[        wheel->sorted = false;
    cork]]
  NEW [[        wheel->sorted = true;
    cork]]
  TEST sched/wheel FILTER wheel/does_what*)

mutation(the_wheel_oversleeps
  FILE sched/wheel.c
  OLD [[    if (level > 0)
        return start_of(tick);]]
  NEW [[    if (level > 0)
        return start_of(tick + TRI_WHEEL_SLOTS);]]
  TEST sched/wheel FILTER wheel/does_what*)

mutation(the_sleeper_forgets_an_early_wake
  FILE sched/sleeper.c
  OLD [[    pthread_mutex_lock(&s->lock);
    while (!s->woken]]
  NEW [[    pthread_mutex_lock(&s->lock);
    s->woken = false;
    while (!s->woken]]
  TEST sched/sleeper FILTER sleeper/a_wake_before*)

mutation(the_blocking_pool_knows_no_limit
  FILE sched/blocking.c
  OLD [[ && pool->threads < pool->limit) {]]
  NEW [[) {]]
  TEST sched/blocking FILTER blocking/it_does_not_grow*)

mutation(the_blocking_pool_forgets_what_waits_when_it_closes
  FILE sched/blocking.c
  OLD [[        job->run(job, true);]]
  NEW [[]]
  TEST sched/blocking FILTER blocking/closing_cancels*)

mutation(a_failed_start_leaves_a_port_open
  FILE sched/sched.c
  OLD [[    if (worker->port)
        worker->port->class->close(worker->port);]]
  NEW [[]]
  TEST sched/sched FILTER sched/a_port_that*)
