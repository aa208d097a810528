# The table of mutations: what is broken on purpose, and the test that must notice.
#
#   mutation(NAME FILE file OLD [[…]] NEW [[…]] [FILE … OLD … NEW …] TEST program FILTER suite/test [TRIES n] [PORT port]
#            [DEFAULT])
#
# OLD must stand in the file exactly once. TEST is the test's source, without .c, below tests/. TRIES (3): how often the test
# may be run until it fails; more for mistakes that show only when two threads meet at the wrong moment. PORT: the one it concerns, if
# it is not both. DEFAULT: belongs to the default run, too; those must be fast.

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

mutation(a_hook_is_called_as_often_as_it_was_given
  FILE mailbox/fork_posix.c
  OLD [[    while (at < count && hooks[at] != hook)]]
  NEW [[    while (at < count)]]
  TEST mailbox/fork FILTER fork/each_hook*)

mutation(push_is_a_load_and_a_store
  FILE mailbox/mailbox.h
  OLD [[    if (tri_unlikely(!ck_pr_cas_64(&box->word, word, next)))
        return TRI_PUSH_FULL;]]
  NEW [[    ck_pr_store_64(&box->word, next);]]
  TEST mailbox/mailbox FILTER mailbox/between_threads* TRIES 3)

mutation(push_after_a_try_is_a_load_and_a_store
  FILE mailbox/mailbox.c
  OLD [[        ck_pr_fence_release(); /* the messages before the word; pairs with the CAS in tri_mailbox_drain */
    } while (!ck_pr_cas_64_value(&box->word, word, next, &word));]]
  NEW [[        ck_pr_store_64(&box->word, next);
    } while (false);]]
  TEST mailbox/mailbox FILTER mailbox/between_threads* TRIES 3)

mutation(push_forgets_a_poke
  FILE mailbox/mailbox.h
  OLD [[tri_word_make(m, tri_word_count(word) + 1, word & TRI_WORD_POKE)]]
  NEW [[tri_word_make(m, tri_word_count(word) + 1, 0)]]
  TEST mailbox/mailbox FILTER mailbox/a_poke_stays*)

mutation(push_after_a_try_forgets_a_poke
  FILE mailbox/mailbox.c
  OLD [[word & TRI_WORD_POKE);]]
  NEW [[0);]]
  TEST mailbox/mailbox FILTER mailbox/a_poke_stays*)

mutation(a_new_generation_is_seen_too_early
  FILE mailbox/mailbox.c
  OLD [[    ck_pr_store_64(&box->word, TRI_WORD_EMPTY);
    ck_pr_fence_store(); /* and who reads the new generation finds the mailbox open */
    ck_pr_store_32(&box->generation, generation);]]
  NEW [[    ck_pr_store_32(&box->generation, generation);
    sched_yield(); /* so that it shows */
    ck_pr_store_64(&box->word, TRI_WORD_EMPTY);]]
  TEST mailbox/mailbox FILTER mailbox/who_sees_a_new_generation* TRIES 3)

mutation(late_bulk_is_taken_off_the_next_actors
  FILE mailbox/mailbox.c
  OLD [[    while ((bulk - ((uint64_t)generation << TRI_BULK_BITS)) >> TRI_BULK_BITS == 0 &&
        !ck_pr_cas_64_value(]]
  NEW [[    while (generation && !ck_pr_cas_64_value(]]
  TEST mailbox/mailbox FILTER mailbox/bulk_for_an_actor*)

mutation(late_bulk_is_added_to_the_next_actors
  FILE mailbox/mailbox.c
  OLD [[            return true; /* another's: the push will say so */]]
  NEW [[            generation++;]]
  TEST mailbox/mailbox FILTER mailbox/bulk_for_an_actor*)

mutation(bulk_that_finds_no_room_stops_nobody
  FILE actors/send.c
  OLD [[    if (tri_mailbox_policy(&slot->box) == TRI_STOP)]]
  NEW [[    if (false)]]
  TEST actors/bounds FILTER bounds/bulk_beyond_its_bound_ends*)

mutation(bulk_beyond_its_bound_stays
  FILE mailbox/mailbox.c
  OLD [[    if (tri_mailbox_is_over_bulk(box)) {]]
  NEW [[    if (false) {]]
  TEST actors/bounds FILTER bounds/bulk_beyond_its_bound_drops*)

mutation(large_bodies_are_not_counted
  FILE actors/send.c
  OLD [[ && m->type->size <= TR_BODY_SMALL))]]
  NEW [[))]]
  TEST actors/bounds FILTER bounds/large_bodies*)

mutation(losses_are_told_once
  FILE actors/system.c
  OLD [[    tri_loss_tell(&self->losses, worker->now);]]
  NEW [[    (void)0;]]
  TEST actors/bounds FILTER bounds/what_full_mailboxes*)

mutation(a_slab_goes_back_with_a_block_of_it_out
  FILE mailbox/pool.c
  OLD [[slab->free == carved(pool, slab);]]
  NEW [[slab->free + 1 >= carved(pool, slab);]]
  TEST mailbox/pool FILTER pool/after_a_burst*)

mutation(sleepers_are_not_asked_to_trim
  FILE actors/system.c
  OLD [[            tri_sched_wake_all(&system->sched);
        }
        tri_system_leave(system->number);]]
  NEW [[            (void)0;
        }
        tri_system_leave(system->number);]]
  TEST actors/system FILTER system/memory_of_a_burst*)

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
  TEST mailbox/mailbox FILTER mailbox/what_was_accepted* TRIES 60)

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
  OLD [[    bool own = held_by_one(first);]]
  NEW [[    bool own = true;]]
  TEST mailbox/buf FILTER buf/whatever_is_done*)

mutation(a_slice_is_joined_to_what_it_is_of
  FILE mailbox/buf.c
  OLD [[        if (held && slices)
            return false;]]
  NEW [[        if (held && slices)
            return true;]]
  TEST mailbox/buf FILTER buf/whatever_is_done*)

mutation(a_shared_tail_is_joined_in_place
  FILE mailbox/buf.c
  OLD [[        if (!held_by_one(tail))
            tail = own_pieces(tail);]]
  NEW [[]]
  TEST mailbox/buf FILTER buf/a_shared_buffer_may*)

mutation(a_failed_slice_leaks
  FILE mailbox/buf.c
  OLD [[        if (!piece) {
            tr_buf_unref(slice);
            return NULL;]]
  NEW [[        if (!piece) {
            return NULL;]]
  TEST mailbox/buf FILTER buf/out_of_memory*)

mutation(a_single_message_takes_a_poke_along
  FILE mailbox/mailbox.h
  OLD [[(word & TRI_WORD_CLOSED) != TRI_WORD_ONE)]]
  NEW [[(word & (TRI_WORD_COUNT | TRI_WORD_IDLE)) != TRI_WORD_ONE)]]
  TEST mailbox/mailbox FILTER mailbox/a_message_is_taken_past*)

mutation(a_single_message_overtakes_the_lanes
  FILE mailbox/mailbox.h
  OLD [[    if (lanes->count || (word]]
  NEW [[    if ((word]]
  TEST mailbox/mailbox FILTER mailbox/a_message_is_taken_past*)

mutation(an_idle_mailbox_forgets_its_bound
  FILE mailbox/mailbox.h
  OLD [[ck_pr_load_32(&box->backlog) + tri_word_count(word) >= ck_pr_load_32(&box->bound)]]
  NEW [[word != TRI_WORD_IDLE && ck_pr_load_32(&box->backlog) + tri_word_count(word) >= ck_pr_load_32(&box->bound)]]
  TEST mailbox/mailbox FILTER mailbox/one_that_is_idle*)

# ---- sched/ ------------------------------------------------------------------------------------------------------------

mutation(each_tick_of_a_crowd_of_timers_wakes
  FILE sched/worker.c
  OLD [[(crowd ? TRI_TIMERS_APART : 1)]]
  NEW [[(crowd ? 1 : 1)]]
  TEST sched/worker FILTER worker/a_sleeping_one_wakes_for_many* TRIES 3)

mutation(a_worker_sleeps_with_timers_that_are_due
  FILE sched/worker.c
  OLD [[    if (worker->attend_due) /* some that are due are left */
        return TRI_NO_WAIT;]]
  NEW [[]]
  TEST sched/worker FILTER worker/timers_of_one_moment* TRIES 3)

mutation(who_spins_sleeps_over_what_has_just_come
  FILE sched/worker.c
  OLD [[    if (most == 0)
        return false;
    if (worker->spun_turns]]
  NEW [[    if (most == 0)
        return false;
    tri_worker_attend(worker);
    if (worker->spun_turns]]
  TEST io/tcp_echo FILTER tcp_echo/comes_back* TRIES 5)

mutation(a_ring_that_never_runs_empty_makes_no_room
  FILE sched/worker.c
  OLD [[    if (tri_ring_size(&worker->ring) <= TRI_RING_SIZE / 2 ||]]
  NEW [[    if (true ||]]
  TEST sched/sched FILTER sched/a_ring_that*)

mutation(the_list_of_batches_loses_its_end
  FILE sched/sched.c
  OLD [[        if (!batch->next)
            sched->batches_end = &sched->batches;
]]
  NEW [[]]
  TEST sched/sched FILTER sched/batches_are*)

mutation(park_does_not_look_again
  FILE sched/worker.c
  OLD [[    return nothing_came(worker);]]
  NEW [[    return true;]]
  TEST sched/park FILTER park/a_delivery_to_a_worker_that_goes_to_sleep_wakes_it TRIES 20)

mutation(park_does_not_look_at_the_global_list_again
  FILE sched/worker.c
  OLD [[ && (worker->own || !ck_pr_load_32(&worker->sched->global_length)) &&]]
  NEW [[ &&]]
  TEST sched/park FILTER park/an_injection_when_the_last* TRIES 20)

# The increment of `sleepers` is the fence of announce_sleep() on x86: here it is a plain addition, which is right with a single worker.
mutation(park_announces_without_a_fence
  FILE sched/worker.c
  OLD [[    ck_pr_inc_32(worker->own ? &worker->sched->own_sleepers : &worker->sched->sleepers);
    ck_pr_fence_atomic_load();]]
  NEW [[    ck_pr_store_32(&worker->sched->sleepers, ck_pr_load_32(&worker->sched->sleepers) + 1);]]
  TEST sched/park FILTER park/a_delivery_to_a_worker_that_goes_to_sleep_wakes_it TRIES 30)

# Its partner in tri_worker_deliver does not show on x86: inbox and state share a cache line, and a store that waits for
# the line and a load of it are done together. The model has both.

mutation(a_worker_forgets_that_it_was_woken_to_search
  FILE sched/worker.c
  OLD [[    if (ck_pr_fas_uint(&worker->state, TRI_RUNNING) == TRI_NOTIFIED_SEARCH)
        worker->searching = true;]]
  NEW [[    ck_pr_fas_uint(&worker->state, TRI_RUNNING);]]
  TEST sched/park FILTER park/an_injection_when_all*)

mutation(many_small_messages_make_a_turn_heavy
  FILE sched/worker.c
  OLD [[worker->turn_ns >= TRI_HEAVY_TURN_NS && worker->message_ns >= TRI_HEAVY_NS;]]
  NEW [[worker->turn_ns >= TRI_HEAVY_TURN_NS;]]
  TEST sched/worker FILTER worker/work_is_offered*)

mutation(what_waits_is_counted_and_not_weighed
  FILE sched/worker.c
  OLD [[waiting * worker->message_ns >= TRI_WORTH_NS);]]
  NEW [[waiting >= 60);]]
  TEST sched/worker FILTER worker/work_is_offered*)

mutation(what_waits_behind_a_long_handler_is_not_offered
  FILE sched/worker.c
  OLD [[    return ck_pr_load_ptr(&victim->running) && tri_clock_now]]
  NEW [[    return false && tri_clock_now]]
  TEST sched/park FILTER park/a_spinning_worker_to_which*)

mutation(the_monitor_calls_only_those_that_do_not_move
  FILE sched/monitor.c
  OLD [[            ck_pr_store_uint(&worker->look, 1);]]
  NEW [[]]
  TEST sched/worker FILTER worker/one_whose_turns*)

mutation(a_spinning_worker_steals_into_what_has_come
  FILE sched/worker.c
  OLD [[    if (!tri_ring_size(&worker->ring)) { /* else]]
  NEW [[    if (true) { /* else]]
  TEST sched/park FILTER park/a_spinning*)

mutation(a_spinning_worker_does_not_search
  FILE sched/worker.c
  OLD [[        search(worker);
        stop_searching(worker);
    }
    return true;]]
  NEW [[    }
    return true;]]
  TEST sched/park FILTER park/a_spinning*)

mutation(what_is_no_surplus_is_stolen
  FILE sched/worker.c
  OLD [[stuck ? 1 : 2)]]
  NEW [[1)]]
  TEST sched/park FILTER park/the_one_that_waits*)

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
  OLD [[    ck_pr_store_uint(&worker->stuck, 1);]]
  NEW [[]]
  TEST sched/monitor FILTER monitor/the_one_that*)

mutation(the_monitor_does_not_wake_anybody
  FILE sched/monitor.c
  OLD [[        tri_sched_wake_one(sched);]]
  NEW [[]]
  TEST sched/monitor FILTER monitor/all_that_waits*)

mutation(the_monitor_sleeps_again_at_the_first_look
  FILE sched/monitor.c
  OLD [[            quiet = 0; /* or]]
  NEW [[            /* or]]
  TEST sched/monitor FILTER monitor/once_called*)

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

# ---- actors/ -----------------------------------------------------------------------------------------------------------

mutation(a_slot_goes_to_another_system
  FILE actors/table.c
  OLD [[    return cache->shelf ? cache->shelf : &table->free;]]
  NEW [[    return cache ? &table->free : NULL;]]
  TEST actors/system FILTER system/a_slot_stays*)

mutation(a_slot_keeps_the_number_of_a_system_that_is_gone
  FILE actors/system.c
  OLD [[        ck_pr_store_16(&((struct tri_slot *)(void *)element)->run.system, TRI_NO_SYSTEM);]]
  NEW [[        ck_pr_store_16(&((struct tri_slot *)(void *)element)->run.system, system->number);]]
  TEST actors/system FILTER system/a_slot_stays*)

mutation(a_stale_reference_finds_the_slot
  FILE actors/slot.h
  OLD [[    return generation == ref.bits >> TRI_REF_SLOT_BITS ? slot : NULL;]]
  NEW [[    return generation ? slot : NULL;]]
  TEST actors/slot FILTER slot/stale_references*)

mutation(a_reference_of_another_node_finds_the_slot
  FILE actors/slot.h
  OLD [[    return generation == ref.bits >> TRI_REF_SLOT_BITS ? slot : NULL;]]
  NEW [[    return generation == tri_ref_generation(ref) ? slot : NULL;]]
  TEST actors/slot FILTER slot/a_reference_of_another*)

mutation(a_message_for_the_last_actor_is_handled
  FILE actors/turn.c
  OLD [[    if (tri_unlikely(m->generation_ != slot->box.generation)) {]]
  NEW [[    if (false) {]]
  TEST actors/slot FILTER slot/senders_that_race* TRIES 40)

mutation(a_kill_hits_the_next_actor
  FILE actors/slot.h
  OLD [[        if (identity >> TRI_SIGNAL_BITS != ref.bits)
            return false;]]
  NEW [[]]
  FILE actors/send.c
  OLD [[    struct tri_slot *slot = tri_slot_find(to);
    if (slot && tri_slot_raise]]
  NEW [[    struct tri_slot *slot = tri_slot_at(tri_ref_slot(to));
    if (slot && tri_slot_raise]]
  TEST actors/slot FILTER slot/stale_references*)

mutation(a_turn_has_no_end
  FILE actors/turn.c
  OLD [[            *left -= handled;
            if (tri_unlikely(over))
                return false;]]
  NEW [[]]
  TEST actors/turn FILTER turn/actors_that_keep*)

mutation(a_run_of_messages_goes_on_past_the_turn
  FILE actors/turn.c
  OLD [[watched)) && handled < most &&]]
  NEW [[watched)) &&]]
  TEST actors/turn FILTER turn/a_turn_ends*)

mutation(what_is_held_outlives_the_handler
  FILE actors/turn.c
  OLD [[    tri_outbox_flush(self);]]
  NEW [[]]
  TEST actors/outbox FILTER outbox/the_third_message*)

mutation(a_send_overtakes_what_is_held
  FILE actors/send.c
  OLD [[static TRI_COLD int deliver_slowly(tr_self *self, struct tri_slot *slot, tr_ref to, tr_msg *m)
{
    tri_outbox_flush(self);]]
  NEW [[static TRI_COLD int deliver_slowly(tr_self *self, struct tri_slot *slot, tr_ref to, tr_msg *m)
{]]
  TEST actors/outbox FILTER outbox/what_is_held_is_pushed*)

mutation(a_signal_overtakes_what_is_held
  FILE actors/send.c
  OLD [[void tri_poke(tr_self *self, struct tri_slot *slot)
{
    tri_outbox_flush(self);]]
  NEW [[void tri_poke(tr_self *self, struct tri_slot *slot)
{]]
  TEST actors/outbox FILTER outbox/what_is_held_is_pushed*)

mutation(a_spawn_overtakes_what_is_held
  FILE actors/life.c
  OLD [[    tri_outbox_flush(self);]]
  NEW [[]]
  TEST actors/outbox FILTER outbox/what_is_held_is_pushed*)

mutation(a_job_overtakes_what_is_held
  FILE actors/block.c
  OLD [[    tri_outbox_flush(self);]]
  NEW [[]]
  TEST actors/outbox FILTER outbox/what_is_held_is_pushed*)

mutation(an_idle_receiver_waits_for_the_handler
  FILE actors/outbox.h
  OLD [[ck_pr_load_64(&box->slot->box.word) & TRI_WORD_IDLE || m->type->bulk]]
  NEW [[m->type->bulk]]
  TEST actors/outbox FILTER outbox/a_receiver_that_is_found_idle*)

mutation(a_receiver_that_was_idle_is_always_one_behind
  FILE actors/send.c
  OLD [[    return !waits && tri_outbox_begin]]
  NEW [[    return tri_outbox_begin]]
  TEST actors/outbox FILTER outbox/a_receiver_that_is_found_idle*)

mutation(every_handler_that_sends_to_the_same_holds
  FILE actors/send.c
  OLD [[        if (tri_outbox_in_a_row(self))
            return]]
  NEW [[            return]]
  TEST actors/outbox FILTER outbox/*)

mutation(a_mailbox_is_filled_with_what_is_held
  FILE actors/outbox.c
  OLD [[tri_word_count(word) + TRI_OUTBOX_MAX <= ck_pr_load_32(&slot->box.bound) / 2;]]
  NEW [[tri_word_count(word) <= ck_pr_load_32(&slot->box.bound);]]
  TEST actors/outbox FILTER outbox/nothing_is_held*)

mutation(what_is_held_for_the_dead_is_lost
  FILE actors/outbox.c
  OLD [[        tri_dead(self, NULL, to, m, TR_EDOWN);]]
  NEW [[        tri_msg_free(m);]]
  TEST actors/outbox FILTER outbox/what_was_held*)

mutation(what_was_before_a_chain_dies_with_it
  FILE actors/outbox.c
  OLD [[    oldest->next_ = NULL; /* the push]]
  NEW [[    /* the push]]
  TEST actors/outbox FILTER outbox/between_threads_what* TRIES 40)

mutation(a_chain_is_pushed_by_a_load_and_a_store
  FILE mailbox/mailbox.c
  OLD [[    } while (!ck_pr_cas_64_value(&box->word, word, next, &word));
    if (word != TRI_WORD_IDLE)]]
  NEW [[        ck_pr_store_64(&box->word, next);
    } while (false);
    if (word != TRI_WORD_IDLE)]]
  TEST actors/outbox FILTER outbox/between_threads* TRIES 5)

# By a pointer instead of by numbers.
mutation(a_rescuer_goes_as_far_as_what_was_rescued_last
  FILE actors/outbox.c
  OLD [[    tr_msg *newest = tri_outbox_newest(word), *oldest = before ? last_of(newest, count - before) : box->oldest;
]]
  NEW [[    static tr_msg *cut;
    tr_msg *newest = tri_outbox_newest(word), *oldest = before ? newest : box->oldest;
    while (before && oldest->next_ != cut)
        oldest = oldest->next_;
    cut = newest;
]]
  TEST actors/held FILTER held/what_was_rescued*)

mutation(the_owner_pushes_what_was_rescued
  FILE actors/outbox.c
  OLD [[    if (tri_likely(!rescued))]]
  NEW [[    if (true)]]
  TEST actors/held FILTER held/what_is_added*)

mutation(timers_are_rescued_outside_of_the_possession
  FILE sched/rescue.c
  OLD [[    tri_worker_take_errands(victim);
    bool more = fire_timers(&rescue, worker->now);
    if (config->rescue)
        config->rescue(victim, worker);
    relieve(victim, worker);
    tri_possession_give_back(&victim->possession);]]
  NEW [[    tri_possession_give_back(&victim->possession);
    tri_worker_take_errands(victim);
    bool more = fire_timers(&rescue, worker->now);
    if (config->rescue)
        config->rescue(victim, worker);
    relieve(victim, worker);]]
  TEST actors/held FILTER held/a_handler_arms* TRIES 30)

# That it looks who is inside before the barrier is left to the model: the time between is too short.

mutation(a_rescuer_does_without_the_barrier
  FILE sched/possession.c
  OLD [[    tri_os_barrier();
]]
  NEW [[]]
  TEST sched/possession FILTER possession/owner_and* TRIES 20)

mutation(timers_of_pinned_actors_are_rescued_too
  FILE sched/rescue.c
  OLD [[    if (config->stays && config->stays(timer, rescue->victim)) {]]
  NEW [[    if (false) {]]
  TEST sched/rescue FILTER rescue/timers_of_those*)

mutation(nobody_accepts_while_the_listeners_worker_is_held
  FILE sched/rescue.c
  OLD [[    relieve(victim, worker);
    tri_possession_give_back]]
  NEW [[    tri_possession_give_back]]
  TEST io/tcp_held FILTER tcp_held/connections_are_accepted*)

mutation(connections_wait_in_the_inbox_of_a_held_worker
  FILE actors/system.c
  OLD [[slot->status == TRI_STARTING && slot->flags & TRI_SLOT_MOVABLE;]]
  NEW [[false;]]
  TEST io/tcp_held FILTER tcp_held/connections_are_served*)

mutation(what_an_actor_with_a_thread_sends_to_runs_on_it
  FILE sched/worker.c
  OLD [[    if (worker->own) { /* only what is pinned to it runs here */]]
  NEW [[    if (false) { /* only what is pinned to it runs here */]]
  TEST actors/thread FILTER thread/a_handler_that*)

mutation(what_is_next_is_taken_by_a_load_and_a_store
  FILE sched/worker.h
  OLD [[    struct tri_runnable *r = ck_pr_load_ptr(&worker->next) ? ck_pr_fas_ptr(&worker->next, NULL) : NULL;
]]
  NEW [[    struct tri_runnable *r = ck_pr_load_ptr(&worker->next);
    if (r)
        ck_pr_store_ptr(&worker->next, NULL);
]]
  TEST sched/worker FILTER worker/of_the_owner* TRIES 10)

mutation(who_follows_does_not_look_whether_to_attend
  FILE sched/worker.h
  OLD [[ || worker->next_pinned || worker->attend_due)]]
  NEW [[ || worker->next_pinned)]]
  TEST sched/worker FILTER worker/timers_do_not_wait*)

mutation(signals_are_taken_by_a_load_and_a_store
  FILE actors/slot.h
  OLD [[        if (ck_pr_cas_64_value(&slot->identity, identity, identity & ~taken, &identity))]]
  NEW [[        if ((ck_pr_store_64(&slot->identity, identity & ~taken), true))]]
  TEST actors/slot FILTER slot/a_signal_that* TRIES 10)

mutation(nobody_comes_back_for_the_other_timers
  FILE sched/rescue.c
  OLD [[    worker->attend_due |= more;
    ck_pr_fence_release(); /* for the next one */
    ck_pr_store_uint(&sched->rescue, more ? TRI_RESCUE_WANTED : TRI_RESCUE_NOT);]]
  NEW [[    if (!more)
        ck_pr_store_uint(&sched->rescue, TRI_RESCUE_NOT);]]
  TEST sched/rescue FILTER rescue/the_timers*)

mutation(idle_is_not_looked_at_twice
  FILE actors/turn.c
  OLD [[        if (done && !tri_mailbox_idle(&slot->box)) /* something has come */
            continue;]]
  NEW [[        if (done)
            tri_mailbox_idle(&slot->box);]]
  TEST actors/turn FILTER turn/an_actor_is_run* TRIES 20)

mutation(a_turn_touches_its_actor_after_it_was_idle
  FILE actors/turn.c
  OLD [[        ck_pr_store_32(&slot->run.handled, slot->run.handled + (before - left));
        tri_mailbox_publish(&slot->box, &slot->lanes);
        if (done && !tri_mailbox_idle(&slot->box)) /* something has come */
            continue;]]
  NEW [[        ck_pr_store_32(&slot->run.handled, slot->run.handled + (before - left));
        if (done && !tri_mailbox_idle(&slot->box))
            continue;
        tri_drain_late(slot);]]
  FILE actors/turn.c
  OLD [[/* Handles up to *left messages: true]]
  NEW [[static void tri_drain_late(struct tri_slot *slot)
{
    sched_yield();
    tri_mailbox_drain(&slot->box, &slot->lanes);
}

/* Handles up to *left messages: true]]
  TEST actors/turn FILTER turn/an_actor_is_run* TRIES 3)

mutation(an_end_is_told_before_the_last_words
  FILE actors/monitor.c
  OLD [[    promise->msg.from = promise->down.who;]]
  NEW [[    promise->msg.from = promise->down.who;
    promise->msg.flags_ |= TRI_MSG_URGENT;]]
  TEST actors/monitor FILTER monitor/nobody_learns*)

mutation(a_monitor_is_told_although_it_was_dropped
  FILE actors/monitor.c
  OLD [[        if (!tri_promise_keep(promise))
            continue;]]
  NEW [[        tri_promise_keep(promise);
        if (false)
            continue;]]
  TEST actors/monitor FILTER monitor/*)

mutation(monitors_are_taken_after_the_mailbox_was_closed
  FILE actors/life.c
  OLD [[    tr_msg *monitors = slot->cold ? tri_monitor_take(slot->cold) : NULL;
    if (slot->cold)]]
  NEW [[    if (slot->cold)]]
  FILE actors/life.c
  OLD [[    tri_mailbox_close(&slot->box, &slot->lanes);]]
  NEW [[    tri_mailbox_close(&slot->box, &slot->lanes);
    for (int i = 0; i < 20; i++)
        sched_yield(); /* so that it shows */
    tr_msg *monitors = slot->cold ? tri_monitor_take(slot->cold) : NULL;]]
  TEST actors/storm FILTER storm/all_promises* TRIES 12)

mutation(an_element_whose_ids_are_used_up_is_given_out_again
  FILE actors/promise.c
  OLD [[    return promise->msg.call >> 32 == 0;]]
  NEW [[    return promise->msg.call == 0;]]
  TEST actors/promise FILTER promise/*)

mutation(a_demonitor_lets_what_waits_come
  FILE actors/promise.c
  OLD [[    if (!promise || (own && ck_pr_load_32(&promise->state) == TRI_DROPPED))
        return false;]]
  NEW [[    if (!promise)
        return false;
    if (own && ck_pr_load_32(&promise->state) == TRI_DROPPED)
        return true;]]
  TEST actors/monitor FILTER monitor/demonitor_takes_back*)

mutation(the_news_of_a_link_is_sent_twice
  FILE actors/link.c
  OLD [[    sever_all(self, news->exited.who);]]
  NEW [[]]
  TEST actors/link_seeds FILTER link_seeds/whatever*)

mutation(unlink_does_not_sever
  FILE actors/link.c
  OLD [[    tri_check_self(self, "tr_unlink");
    sever_all(self, other);]]
  NEW [[    tri_check_self(self, "tr_unlink");]]
  TEST actors/link FILTER link/after_unlinking_neither*)

mutation(unlink_is_not_told_to_the_other_side
  FILE actors/link.c
  OLD [[    struct tri_promise *mine = held(self, promise_of(m)->peer);]]
  NEW [[    struct tri_promise *mine = NULL;]]
  TEST actors/link FILTER link/after_unlinking_the_other*)

mutation(an_unlink_severs_whatever_link_there_is
  FILE actors/link.c
  OLD [[    struct tri_promise *mine = held(self, promise_of(m)->peer);]]
  NEW [[    struct tri_promise *mine = find(self->slot->cold, m->from, false);]]
  TEST actors/link_seeds FILTER link_seeds/a_link_that_crosses*)

mutation(an_old_exit_ends_a_new_link
  FILE actors/link.c
  OLD [[*mine = held(self, news->peer);]]
  NEW [[*mine = find(self->slot->cold, m->from, false);]]
  TEST actors/link_seeds FILTER link_seeds/whatever*)

mutation(the_others_link_is_taken_for_ones_own
  FILE actors/link.c
  OLD [[find(self->slot->cold, other, true)]]
  NEW [[find(self->slot->cold, other, false)]]
  TEST actors/link_seeds FILTER link_seeds/a_link_that_the_other*)

mutation(a_normal_end_ends_the_linked
  FILE actors/link.c
  OLD [[    if (reason < 0 && self->slot->status == TRI_ALIVE)]]
  NEW [[    if (self->slot->status == TRI_ALIVE)]]
  TEST actors/link FILTER link/a_normal_end* DEFAULT)

mutation(a_late_reply_arrives
  FILE actors/promise.c
  OLD [[    if (!promise || (own && ck_pr_load_32(&promise->state) == TRI_DROPPED))
        return false;]]
  NEW [[    if (!promise && !own)
        return true;
    if (!promise || (own && ck_pr_load_32(&promise->state) == TRI_DROPPED))
        return false;]]
  TEST actors/ask FILTER ask/a_late_reply*)

mutation(an_answer_leaves_the_timer_of_its_ask
  FILE actors/promise.c
  OLD [[            fail(self, promise, m);
        tri_promise_drop(self, promise);]]
  NEW [[            fail(self, promise, m);
        if (false)
            tri_promise_drop(self, promise);]]
  TEST actors/storm FILTER storm/*)

mutation(a_dropped_timer_stays_in_the_wheel
  FILE actors/promise.c
  OLD [[        if (!promise->expired)
            tri_wheel_cancel(&self->worker->wheel, &promise->timer);
        tri_possession_leave(&self->worker->possession);
        tri_promise_free(promise);
        return;]]
  NEW [[        tri_possession_leave(&self->worker->possession);
        tri_promise_free(promise);
        return;]]
  TEST actors/storm FILTER storm/* TRIES 3)

mutation(a_cancel_on_another_worker_touches_its_wheel
  FILE actors/promise.c
  OLD [[        if (promise->worker != self->worker->index) {]]
  NEW [[        if (false) {]]
  TEST actors/timer FILTER timer/* TRIES 3)

mutation(the_deadline_of_a_request_is_not_passed_on
  FILE actors/ask.c
  OLD [[    if (limit && deadline > limit)
        deadline = limit;]]
  NEW [[]]
  TEST actors/ask FILTER ask/what_is_asked_for_a_request*)

mutation(the_deadline_of_a_request_stays
  FILE actors/turn.c
  OLD [[    if (now >= deadline) {
        tri_expire(self, m);
        return false;
    }
    self->deadline = deadline;]]
  NEW [[    self->deadline = deadline;
    if (now >= deadline) {
        tri_expire(self, m);
        return false;
    }]]
  TEST actors/ask FILTER ask/a_request_whose_time_is_up*)

mutation(a_request_whose_time_is_up_is_run
  FILE actors/turn.c
  OLD [[    if (now >= deadline) {]]
  NEW [[    if (false) {]]
  TEST actors/ask FILTER ask/a_request_whose_time_is_up*)

mutation(a_late_answer_is_handled
  FILE actors/promise.c
  OLD [[        if (promise->timer.deadline <= tri_worker_now(self->worker) &&]]
  NEW [[        if (false &&]]
  TEST actors/deadline FILTER deadline/an_answer_that_waited*)

mutation(a_reply_ends_nothing
  FILE actors/ask.c
  OLD [[        self->answered = true;
        self->deadline = 0;]]
  NEW [[        self->answered = true;]]
  TEST actors/deadline FILTER deadline/what_is_asked_is*)

mutation(a_forward_forgets_the_deadline
  FILE actors/take.c
  OLD [[    if (deadline)
        tri_deadline_pack(m, deadline, deadline);]]
  NEW [[    (void)deadline;]]
  TEST actors/deadline FILTER deadline/a_forwarded*)

mutation(the_holder_of_a_request_replies_too_late
  FILE actors/ask.c
  OLD [[    if (is_late(self, taken)) {]]
  NEW [[    if (is_late(self, taken) && !taken) {]]
  TEST actors/deadline FILTER deadline/the_holder*)

mutation(what_watches_a_request_outlives_it
  FILE actors/take.c
  OLD [[    forget(self, was.timer);
    forget(self, was.monitor);]]
  NEW [[    (void)forget;]]
  TEST actors/deadline FILTER deadline/of_a_request*)

mutation(a_taken_request_dies_with_its_actor
  FILE actors/take.c
  OLD [[        if (m->flags_ & TRI_MSG_REQUEST)
            tri_answer_failed(self, self->me, m, reason < 0]]
  NEW [[        if (false)
            tri_answer_failed(self, self->me, m, reason < 0]]
  TEST actors/ask FILTER ask/one_that_goes_down*)

mutation(what_waits_at_the_end_is_lost
  FILE actors/life.c
  OLD [[        tri_dead(self, NULL, to, m, TR_EDOWN);
    }
    self->ended = false;]]
  NEW [[        (void)to;
        tri_expire(self, m);
    }
    self->ended = false;]]
  TEST actors/ask FILTER ask/one_that_goes_down*)

mutation(a_message_that_was_given_away_is_freed
  FILE actors/take.c
  OLD [[        self->kept = true;
        self->deadline = 0;]]
  NEW [[        self->deadline = 0;]]
  TEST actors/take FILTER take/*)

mutation(a_name_outlives_its_actor
  FILE actors/life.c
  OLD [[    if (slot->cold)
        tri_name_end(&self->system->names, slot->cold);]]
  NEW [[]]
  TEST actors/name FILTER name/the_name_of_one* DEFAULT)

mutation(two_may_have_a_name
  FILE actors/name.c
  OLD [[    if (find(names, key))
        return TR_EEXIST;]]
  NEW [[]]
  TEST actors/name FILTER name/a_name_that_is_taken* DEFAULT)

mutation(a_name_is_shown_before_its_actor
  FILE actors/life.c
  OLD [[    int error = options->name ? tri_name_reserve(&self->system->names, slot, options->name) : 0;]]
  NEW [[    int error = options->name ? tri_name_reserve(&self->system->names, slot, options->name) : 0;
    if (!error && options->name)
        tri_name_show(slot->cold->name, tri_slot_ref(slot));]]
  TEST actors/name FILTER name/a_name_is_visible*)

mutation(who_looks_for_a_name_believes_what_he_sees
  FILE actors/name.c
  OLD [[        if (!(version & 1) && ck_pr_load_32(&names->version) == version)]]
  NEW [[        if (version != UINT32_MAX)]]
  TEST actors/name FILTER name/a_name_that_stays* TRIES 5)

mutation(names_behind_a_hole_are_lost
  FILE actors/name.c
  OLD [[        set_cell(&table->cells[hole], table->cells[at].hash, table->cells[at].name);
        hole = at;]]
  NEW [[]]
  TEST actors/name FILTER name/a_name_that_stays*)

mutation(a_used_up_slot_is_given_out_again
  FILE actors/slot.c
  OLD [[    if (tri_likely(slot->box.generation != TRI_SLOT_LAST_GENERATION)) {]]
  NEW [[    if (slot->box.generation || slot->cold) {]]
  TEST actors/slot FILTER slot/no_reference* DEFAULT)

mutation(promises_outlive_their_incarnation
  FILE actors/life.c
  OLD [[        tri_promise_drop_all(self, slot->cold);]]
  NEW [[        if (!comes_again(self, slot, reason))
            tri_promise_drop_all(self, slot->cold);]]
  TEST actors/supervisor_restart FILTER supervisor_restart/what_was_promised*)

mutation(a_job_that_was_abandoned_is_forgotten
  FILE actors/block.c
  OLD [[    if (promise->drop)
        promise->drop(promise->blocked.arg);
    tri_promise_free(promise);]]
  NEW [[    tri_promise_free(promise);]]
  TEST actors/block FILTER block/the_result_of_a_job*)

mutation(one_restart_more_than_is_borne
  FILE actors/restart.h
  OLD [[    return intensity == TR_UNLIMITED ? 0 : intensity;]]
  NEW [[    return intensity == TR_UNLIMITED ? 0 : intensity + (intensity != 0);]]
  TEST actors/supervisor_restart FILTER supervisor_restart/a_child_uses_up*)

mutation(old_restarts_count
  FILE actors/restart.c
  OLD [[    if (history->count == history->size && now - history->moments[history->next] < period)]]
  NEW [[    if (history->count == history->size)]]
  TEST actors/supervisor_restart FILTER supervisor_restart/restarts_longer_ago*)

mutation(a_restart_comes_before_its_delay
  FILE actors/supervisor.c
  OLD [[    while (child->condition == TRI_CHILD_DOWN && child->not_before <= now && its_turn]]
  NEW [[    while (child->condition == TRI_CHILD_DOWN && now && its_turn]]
  TEST actors/supervisor_restart FILTER supervisor_restart/the_delay*)

mutation(what_cannot_be_started_is_not_tried_again
  FILE actors/supervisor.c
  OLD [[    bool timed = delay && tri_child_set_timer(self, child, delay);]]
  NEW [[    bool timed = failed || (delay && tri_child_set_timer(self, child, delay));]]
  TEST actors/faults FILTER faults/a_tree_lives*)

mutation(a_child_is_dismissed_and_waits_for_ever
  FILE actors/turn.c
  OLD [[    if (signals & TRI_SIGNAL_DISMISS)]]
  NEW [[    if (false)]]
  TEST actors/faults FILTER faults/a_tree_without*)

mutation(the_report_of_an_old_child_counts
  FILE actors/supervisor.c
  OLD [[    if (report->incarnation != (uint16_t)tr_incarnation(self))
        return; /* of a child of an earlier one */]]
  NEW [[]]
  TEST actors/supervisor_dynamic FILTER supervisor_dynamic/*killed*)

mutation(the_successor_waits_for_nobody
  FILE actors/supervisor.c
  OLD [[    me->waiting = self->slot->cold->children > 0;]]
  NEW [[]]
  TEST actors/supervisor_dynamic FILTER supervisor_dynamic/the_successor*waits*)

mutation(who_is_gone_and_was_told_to_stop_is_forgotten
  FILE actors/supervisor.c
  OLD [[    if (again) {
        if (report->gone)]]
  NEW [[    again = again && !(asked && report->gone);
    if (again) {
        if (report->gone)]]
  TEST actors/supervisor_restart FILTER supervisor_restart/*used_up_comes_anew*)

mutation(a_name_that_will_be_free_uses_up_the_intensity
  FILE actors/supervisor.c
  OLD [[    if (reason == TR_EEXIST && name_will_be_free(self, child) && ]]
  NEW [[    if (reason == TR_EAGAIN && name_will_be_free(self, child) && ]]
  TEST actors/supervisor_dynamic FILTER supervisor_dynamic/a_name_that_will_be_free*)

mutation(who_was_given_up_waits_for_ever
  FILE actors/child.c
  OLD [[TRI_SIGNAL_KILL | TRI_SIGNAL_DISMISS); /* so it]]
  NEW [[TRI_SIGNAL_KILL); /* so it]]
  TEST actors/supervisor_restart FILTER supervisor_restart/a_child_that_was_given_up*)

mutation(all_are_stopped_at_once
  FILE actors/supervisor.c
  OLD [[    for (uint32_t i = stopping(me) ? 0 : me->count; i-- > 0;)]]
  NEW [[    for (uint32_t i = me->count; i-- > 0;)]]
  TEST actors/supervisor FILTER supervisor/*in_order TRIES 5)

mutation(the_next_child_is_started_too_early
  FILE actors/supervisor.c
  OLD [[        if (other->condition != TRI_CHILD_UP && !is_over(other))
            return false;]]
  NEW [[        if (other->condition == TRI_CHILD_DOWN)
            return false;]]
  TEST actors/supervisor FILTER supervisor/a_child_is_started_when*)

mutation(the_rest_is_all
  FILE actors/supervisor.c
  OLD [[(strategy == TR_REST_FOR_ONE && other->number > child->number);]]
  NEW [[strategy == TR_REST_FOR_ONE;]]
  TEST actors/supervisor FILTER supervisor/rest_for_one* DEFAULT)

# ---- io/ ---------------------------------------------------------------------------------------------------------------

mutation(what_is_done_can_be_cancelled
  FILE io/op.c
  OLD [[    if (op->state != TRI_OP_IN_FLIGHT || op->flags & TRI_OP_CANCELED)
        return;
]]
  NEW [[]]
  TEST io/tcp FILTER tcp/*)

mutation(an_operation_is_queued_once_and_never_again
  FILE io/op.c
  OLD [[.result = op->result };
    op->flags &= (uint8_t)~TRI_OP_QUEUED;]]
  NEW [[.result = op->result };]]
  TEST io/tcp FILTER tcp/an_idle*)

mutation(an_operation_is_queued_although_it_is
  FILE io/op.c
  OLD [[    if (op->flags & TRI_OP_QUEUED)
        return; /* what has come]]
  NEW [[    if (false)
        return; /* what has come]]
  TEST io/tcp_stress FILTER tcp_stress/*)

mutation(what_nobody_handles_does_not_come_home
  FILE io/op.c
  OLD [[        tri_block_put(op, ((struct tri_connect *)op)->tag);
    tri_came_home(slot);]]
  NEW [[        tri_block_put(op, ((struct tri_connect *)op)->tag);]]
  TEST io/tcp_listen FILTER tcp_listen/a_connection_whose_owner*)

mutation(what_nobody_takes_is_kept
  FILE io/op.c
  OLD [[    drop_arrivals(op);
    op->flags]]
  NEW [[    op->flags]]
  TEST io/tcp_faults FILTER tcp_faults/a_system_can_be_closed* TRIES 5)

mutation(descriptors_that_nobody_takes_stay_open
  FILE io/op.c
  OLD [[            tri_socket_close(op->accepted->fds[--op->accepted->count]);]]
  NEW [[            --op->accepted->count;]]
  TEST io/tcp_faults FILTER tcp_faults/a_system_can_be_closed* TRIES 5)

mutation(a_list_of_descriptors_forgets_the_old_ones
  FILE io/op.c
  OLD [[        list->count = old->count;
]]
  NEW [[]]
  TEST io/tcp_listen FILTER tcp_listen/a_thousand* TRIES 5)

mutation(the_answer_to_a_cancel_is_not_awaited
  FILE io/uring.c
  OLD [[    if (op->flags & TRI_OP_CANCELING) {]]
  NEW [[    if (false) {]]
  TEST io/tcp_stress FILTER tcp_stress/* PORT uring TRIES 3)

mutation(a_held_operation_that_is_cancelled_is_never_home
  FILE io/uring.c
  OLD [[        op->flags &= (uint8_t)~TRI_OP_HELD;
        tri_op_complete(op, TR_ECANCELED);]]
  NEW [[        op->flags &= (uint8_t)~TRI_OP_HELD;]]
  TEST io/uring FILTER uring/what_the_system* PORT uring)

mutation(starved_receives_are_not_fed
  FILE io/uring.c
  OLD [[        note_again(u, &endpoint->read);
]]
  NEW [[]]
  TEST io/tcp_faults FILTER tcp_faults/a_stream_waits* PORT uring)

mutation(a_buffer_is_not_given_back
  FILE io/uring.c
  OLD [[        if (buf != from)
            give_buffer(u, n);
]]
  NEW [[        if (buf != from)
            ;
]]
  TEST io/tcp_faults FILTER tcp_faults/any_one* PORT uring)

mutation(a_buffer_that_was_taken_along_is_not_replaced
  FILE io/uring.c
  OLD [[        else if (!make_buffer(u, n))
            u->missing++;]]
  NEW [[        else
            u->buffers[n] = NULL;]]
  TEST io/tcp_flow FILTER tcp_flow/a_slow_reader* PORT uring)

mutation(a_bundle_is_one_buffer
  FILE io/uring.c
  OLD [[        unsigned n = u->order[place % BUFFERS];]]
  NEW [[        unsigned n = number;
        (void)place;]]
  TEST io/tcp_flow FILTER tcp_flow/* PORT uring)

mutation(a_wake_is_armed_once
  FILE io/uring.c
  OLD [[    if (!u->wake_armed)
        arm_wake(u);
    enter]]
  NEW [[    enter]]
  TEST io/run FILTER run/a_post_wakes* PORT uring)

mutation(epoll_pwait2_is_there_or_is_not
  FILE io/epoll.c
  OLD [[        if (count >= 0 || errno == EINTR)]]
  NEW [[        if (count >= 0 || errno != ENOSYS)]]
  TEST io/epoll FILTER epoll/where_epoll_pwait2* PORT epoll)

mutation(a_short_receive_has_emptied_the_socket
  FILE io/epoll.c
  OLD [[(HUNG_UP | URGENT));]]
  NEW [[HUNG_UP);]]
  TEST io/tcp_flow FILTER tcp_flow/what_comes_behind* PORT epoll)

mutation(every_socket_is_of_tcp
  FILE io/epoll.c
  OLD [[    return !endpoint->foreign &&]]
  NEW [[    return]]
  TEST io/run_linux FILTER run_linux/what_comes_behind* PORT epoll)

mutation(a_refusal_of_the_kernels_threads_is_an_error
  FILE io/meaning.c
  OLD [[    ROW(TR_EAGAIN,      AGAIN,      AGAIN,      AGAIN,      CONNECTION, PAUSE),]]
  NEW [[    ROW(TR_EAGAIN,      AGAIN,      AGAIN,      CONNECTION, CONNECTION, PAUSE),]]
  TEST io/uring FILTER uring/a_long_write* PORT uring)

mutation(a_wait_that_fails_is_repeated
  FILE io/op.c
  OLD [[    if (meaning != TRI_PAUSE)
        tri_panic]]
  NEW [[    if (false)
        tri_panic]]
  TEST io/epoll FILTER epoll/a_wait_that_fails* PORT epoll)

mutation(rings_are_large_or_not_at_all
  FILE io/uring.c
  OLD [[error == -ENOMEM && entries >= ENTRIES_MIN;]]
  NEW [[error == -ENOMEM && entries >= ENTRIES;]]
  TEST io/uring FILTER uring/where_large_rings* PORT uring)

mutation(a_port_that_cannot_be_opened_is_the_end
  FILE io/run.c
  OLD [[wished || number + 1 == tri_backend_count, 0 };]]
  NEW [[true, 0 };]]
  TEST io/uring FILTER uring/where_rings* PORT uring)

mutation(the_kernel_knows_who_is_connected
  FILE io/uring.c
  OLD [[    int error = tri_socket_connected(op->endpoint->fd);]]
  NEW [[    int error = 0;]]
  TEST io/uring FILTER uring/a_connection_without_a_peer* PORT uring)

mutation(connections_that_fail_are_not_counted
  FILE io/tcp_listener.c
  OLD [[    if (++me->failures < FAILURES)]]
  NEW [[    if (true)]]
  TEST io/tcp_port FILTER tcp_port/connections_that_cannot*)

mutation(a_closed_descriptor_helps_nobody
  FILE io/shortage.c
  OLD [[            tri_signal(worker]]
  NEW [[            if (false) tri_signal(worker]]
  TEST io/tcp_port FILTER tcp_port/for_want*)

mutation(timers_do_not_wait_for_the_port
  FILE sched/worker.c
  OLD [[(late || worker->port->more) && i < TRI_LOOKS]]
  NEW [[false && i < TRI_LOOKS]]
  TEST sched/worker FILTER worker/timers_wait*)

mutation(a_star_takes_the_port_of_its_first_family
  FILE io/tcp_listener.c
  OLD [[count < TRIES ? open_one(options, first) : TR_EADDRINUSE;]]
  NEW [[TR_EADDRINUSE;]]
  TEST io/epoll FILTER epoll/a_star* PORT epoll)

mutation(signals_that_come_together_are_two
  FILE io/signals_linux.c
  OLD [[    if (!is_another())
        return;]]
  NEW [[    (void)is_another();]]
  TEST io/run_linux FILTER run_linux/signals_that*)

mutation(an_ignored_signal_is_taken
  FILE io/signals_linux.c
  OLD [[        if (watch.before[i].sa_handler != SIG_IGN)]]
  NEW [[        if (true)]]
  TEST io/run_linux FILTER run_linux/a_signal_that*)

mutation(buffers_are_dropped_under_their_send
  FILE io/tcp_end.c
  OLD [[    me->flags |= TRI_TCP_ENDING;
    cancel_all(self, me);]]
  NEW [[    me->flags |= TRI_TCP_ENDING;
    cancel_all(self, me);
    tri_tcp_writes_drop(self, me);]]
  TEST io/tcp_port FILTER tcp_port/buffers_are* PORT uring)

mutation(a_descriptor_is_closed_later
  FILE io/uring.c
  OLD [[    if (close)
        tri_socket_close(endpoint->fd);]]
  NEW [[    if (close) {
        struct io_uring_sqe *entry = get_entry(uring_of(port));
        io_uring_prep_close(entry, endpoint->fd);
        entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
        io_uring_sqe_set_data64(entry, TAGS);
    }]]
  TEST io/tcp_faults FILTER tcp_faults/who_hears* PORT uring)

mutation(the_end_of_a_stream_is_an_edge
  FILE io/epoll.c
  OLD [[    return !endpoint->foreign && !(endpoint->ready & (HUNG_UP | URGENT));]]
  NEW [[    return !endpoint->foreign && !(endpoint->ready & URGENT);]]
  TEST io/tcp FILTER tcp/the_peers_end* PORT epoll TRIES 5)

mutation(a_full_buffer_has_emptied_the_socket
  FILE io/epoll.c
  OLD [[        if (!filled && short_is_all(endpoint))]]
  NEW [[        if (short_is_all(endpoint))]]
  TEST io/tcp_flow FILTER tcp_flow/* PORT epoll)

mutation(what_is_readable_already_is_not_read
  FILE io/epoll.c
  OLD [[        if (endpoint->ready & READABLE)
            list(epoll_of(port), endpoint);
        return;]]
  NEW [[        return;]]
  TEST io/tcp_flow FILTER tcp_flow/a_paused* PORT epoll)

mutation(half_a_piece_is_sent_again
  FILE io/epoll.c
  OLD [[            piece->iov_base = (char *)piece->iov_base + sent;
]]
  NEW [[]]
  TEST io/tcp FILTER tcp/shutdown_waits* PORT epoll)

mutation(a_descriptor_that_is_gone_stays_listed
  FILE io/again.c
  OLD [[    take_off(again, place);
    again->places[place].next = again->unused;]]
  NEW [[    again->places[place].next = again->unused;]]
  TEST io/tcp_stress FILTER tcp_stress/* PORT epoll TRIES 3)

mutation(a_refused_connection_is_made
  FILE io/epoll.c
  OLD [[        tri_op_complete(endpoint->write, error);]]
  NEW [[        tri_op_complete(endpoint->write, 0);]]
  TEST io/tcp FILTER tcp/a_refused* PORT epoll)

mutation(a_cancelled_read_is_never_home
  FILE io/epoll.c
  OLD [[    if (op == &endpoint->read)
        tri_op_complete(op, TR_ECANCELED);
    else if]]
  NEW [[    if (op == &endpoint->read)
        return;
    else if]]
  TEST io/tcp FILTER tcp/an_idle* PORT epoll)

mutation(a_window_is_anybodys
  FILE io/window.h
  OLD [[        if (word >> TRI_WINDOW_GENERATION_SHIFT != tag >> TRI_WINDOW_GENERATION_SHIFT)
            return]]
  NEW [[        if (tag == 0)
            return]]
  TEST io/tcp_flow FILTER tcp_flow/buffers_outlive*)

mutation(a_window_that_is_used_up_is_not_stalled
  FILE io/window.h
  OLD [[word, word - tri_window_mark(window), &word)]]
  NEW [[word, word, &word)]]
  TEST io/tcp_flow FILTER tcp_flow/held_buffers*)

mutation(a_stalled_connection_waits_for_half_of_its_window
  FILE io/window.h
  OLD [[    return window > 2 * TRI_WINDOW_BUFFER ? window - TRI_WINDOW_BUFFER + 1 : window / 2 + window % 2;]]
  NEW [[    return window / 2 + window % 2;]]
  TEST io/tcp_flow FILTER tcp_flow/room_for*)

mutation(a_timed_send_is_as_long_as_any
  FILE io/tcp_writes.c
  OLD [[limit = tri_tcp_has_timeouts(me) ? TRI_SEND_BYTES_TIMED : TRI_SEND_BYTES;]]
  NEW [[limit = TRI_SEND_BYTES;]]
  TEST io/sim_transports FILTER sim_transports/a_write_of_which*)

mutation(who_is_idle_is_not_looked_at_again
  FILE io/tcp_time.c
  OLD [[    return stuck || (idle && now >= look_due(s));]]
  NEW [[    return stuck || idle;]]
  TEST io/sim_transports FILTER sim_transports/an_idle_connection_is*)

mutation(a_detach_is_never_given_up
  FILE io/tcp_time.c
  OLD [[        due = earlier(due, s->detach_until);]]
  NEW [[        due = earlier(due, TR_FOREVER);]]
  TEST io/sim_transports FILTER sim_transports/a_detach_*)

mutation(what_waits_is_handled_after_the_close
  FILE io/owner.c
  OLD [[        tri_slot_raise(slot, transport, TRI_SLOT_HUSHED); /* and]]
  NEW [[        (void)0; /* and]]
  TEST io/sim_transports FILTER sim_transports/nothing_is*)

mutation(the_last_error_is_the_reason
  FILE io/tcp_end.c
  OLD [[    if (!(me->flags & TRI_TCP_LOST))
        me->reason]]
  NEW [[    if (true)
        me->reason]]
  TEST io/sim_transports FILTER sim_transports/of_two_errors*)

mutation(each_connection_says_that_writes_are_late
  FILE io/port.h
  OLD [[    if (*last && now - *last < TR_SECONDS(1))]]
  NEW [[    if (*last && now < *last)]]
  TEST io/tcp_end FILTER tcp_end/late_writes*)

mutation(a_close_does_not_linger
  FILE io/tcp_end.c
  OLD [[    if (!may_discard(me) || tri_shortage_is(tr_now(self))) {
        tri_tcp_end(self, me, 0);]]
  NEW [[    if (true) {
        tri_tcp_end(self, me, 0);]]
  TEST io/tcp_end FILTER tcp_end/closed_while*)

mutation(lingering_has_no_limit_of_bytes
  FILE io/tcp_end.c
  OLD [[        me->settings->discarded += tr]]
  NEW [[        me->settings->discarded += 0 * tr]]
  TEST io/tcp_end FILTER tcp_end/lingering*)

mutation(what_is_received_is_not_charged
  FILE io/window.h
  OLD [[    ck_pr_add_64(&slot->window, bytes);]]
  NEW [[    (void)slot, (void)bytes;]]
  TEST io/tcp_flow FILTER tcp_flow/held_buffers*)

mutation(a_transport_is_nobodys_ward
  FILE io/owner.c
  OLD [[    if (!tri_ward_add(self->slot, m->from)) /* no]]
  NEW [[    if (false) /* no]]
  TEST io/tcp FILTER tcp/a_connection_is_reset*)

mutation(a_ward_is_known_by_its_slot_alone
  FILE actors/ward.c
  OLD [[    return (uint32_t)ward.bits & ~TRI_WARD_HUSHED;]]
  NEW [[    return tri_ref_slot(ward);]]
  TEST actors/ward FILTER ward/*)

mutation(an_orphan_does_not_settle
  FILE io/tcp_end.c
  OLD [[    me->flags |= TRI_TCP_ORPHANED;
    self->slot->flags |= TRI_SLOT_SETTLE;]]
  NEW [[    me->flags |= TRI_TCP_ORPHANED;]]
  TEST io/tcp FILTER tcp/a_connection_is_reset*)

mutation(what_an_owner_has_closed_is_reset
  FILE io/tcp_end.c
  OLD [[    if (!(me->flags & TRI_TCP_CLOSING)) {
        char]]
  NEW [[    if (true) {
        char]]
  TEST io/tcp FILTER tcp/what_an_owner_wrote*)

mutation(a_listener_outlives_its_owner
  FILE io/tcp_listener.c
  OLD [[        me->deaf = true;
        return end_it(self, me, TR_EOWNER);]]
  NEW [[        me->deaf = true;
        return TR_CONTINUE;]]
  TEST io/tcp_listen FILTER tcp_listen/a_listener_ends*)

mutation(nobody_misses_what_nobody_took
  FILE io/tcp_connection.c
  OLD [[        tri_tcp_fail(self, me, TR_EOWNER);
        return;
    }
    me->flags &= ~(uint32_t)TRI_TCP_UNHANDLED;]]
  NEW [[        return;
    }
    me->flags &= ~(uint32_t)TRI_TCP_UNHANDLED;]]
  TEST io/tcp_listen FILTER tcp_listen/a_connection_that_nobody*)

mutation(a_paused_listener_has_no_timer
  FILE io/tcp_listener.c
  OLD [[    go_on_later(self, me, s, TR_MS(PAUSE_MS));]]
  NEW [[]]
  TEST io/tcp_listen FILTER tcp_listen/without_descriptors*)

mutation(each_socket_that_pauses_has_a_timer_of_its_own
  FILE io/tcp_listener.c
  OLD [[    me->waits = me->waits || tr_after(self, ns, 0).bits;]]
  NEW [[    me->waits = tr_after(self, ns, 0).bits != 0;]]
  TEST io/sim_transports FILTER sim_transports/sockets_of_a_listener* PORT epoll)

mutation(a_pause_is_told_again_and_again
  FILE io/tcp_listener.c
  OLD [[        me->paused = true;
]]
  NEW [[]]
  TEST io/tcp_listen FILTER tcp_listen/without_descriptors*)

mutation(want_of_descriptors_ends_a_listener
  FILE io/meaning.c
  OLD [[    ROW(TR_EMFILE,      CONNECTION, PAUSE, ]]
  NEW [[    ROW(TR_EMFILE,      CONNECTION, SOCKET, ]]
  TEST io/tcp_listen FILTER tcp_listen/without_descriptors*)

mutation(a_pause_never_ends
  FILE io/tcp_listener.c
  OLD [[        me->failures = 0;
        go_on(self, me);]]
  NEW [[        me->failures = 0;]]
  TEST io/tcp_listen FILTER tcp_listen/without_descriptors*)

mutation(the_end_is_told_twice
  FILE io/tcp_news.c
  OLD [[    me->flags |= TRI_TCP_DEAF;
    tri_news_send]]
  NEW [[    tri_news_send]]
  TEST io/tcp FILTER tcp/a_connection_says*)

mutation(what_never_was_connected_is_closed
  FILE io/tcp_news.c
  OLD [[    bool told = me->flags & TRI_TCP_TOLD && !(me->flags & TRI_TCP_UNHEARD);]]
  NEW [[    bool told = true;]]
  TEST io/tcp FILTER tcp/a_refused*)

mutation(data_does_not_wait_until_the_last_was_handled
  FILE io/tcp_news.c
  OLD [[    me->end.read.received = NULL;
    me->flags |= TRI_TCP_UNHANDLED;]]
  NEW [[    me->end.read.received = NULL;]]
  TEST io/tcp_flow FILTER tcp_flow/*)

mutation(a_hand_over_does_not_wait_for_what_is_handled
  FILE io/tcp_connection.c
  OLD [[    if (!(me->flags & TRI_TCP_UNHANDLED) && window > 0) {]]
  NEW [[    if (window > 0) {]]
  TEST io/sim_transports FILTER sim_transports/handed_over* PORT epoll)

mutation(a_cancel_that_finds_nothing_is_not_asked_again
  FILE io/uring.c
  OLD [[    else if (result == -ENOENT)
        note_cancel(u, op);]]
  NEW [[    ;]]
  TEST io/uring FILTER uring/a_cancel_that* PORT uring)

mutation(an_operation_is_cancelled_twice
  FILE io/op.c
  OLD [[    if (op->state != TRI_OP_IN_FLIGHT || op->flags & TRI_OP_CANCELED)]]
  NEW [[    if (op->state != TRI_OP_IN_FLIGHT)]]
  TEST io/uring FILTER uring/one_operation_is* PORT uring)

mutation(a_listener_without_memory_never_says_closed
  FILE io/tcp_listener.c
  OLD [[    tri_port_wait_for_memory(tri_io_port(self->worker), self->slot, &me->sockets[0].end.read);
    return TR_CONTINUE;]]
  NEW [[    return TR_CONTINUE;]]
  TEST io/sim_memory FILTER sim_memory/a_listener* PORT epoll)

mutation(an_unknown_ward_outlives_its_guardian
  FILE io/owner.c
  OLD [[        tri_signal(self, m->from, TRI_SIGNAL_BROKEN);]]
  NEW [[        ;]]
  TEST io/sim_memory FILTER sim_memory/what_an_owner* PORT epoll)

mutation(signals_come_to_any_thread
  FILE io/signals_linux.c
  OLD [[    sigset_t set = watched_set();
    pthread_sigmask(SIG_BLOCK, &set, &watch.mask);]]
  NEW [[    ]]
  TEST io/run_linux FILTER run_linux/signals_interrupt_nobody* PORT epoll)

mutation(a_timer_is_not_brought_forward
  FILE io/tcp_time.c
  OLD [[    if (s->timer.bits && s->timer_due <= due)]]
  NEW [[    if (s->timer.bits)]]
  TEST io/sim_transports FILTER sim_transports/a_shorter_time* PORT epoll)

mutation(a_descriptor_that_was_given_away_stays_registered
  FILE io/epoll.c
  OLD [[    epoll_ctl(epoll_of(port)->fd, EPOLL_CTL_DEL, endpoint->fd, &(struct epoll_event){ 0 });]]
  NEW [[    ]]
  TEST io/run_linux FILTER run_linux/what_was_detached* PORT epoll)

mutation(what_comes_with_a_cancel_is_dropped
  FILE io/tcp_connection.c
  OLD [[    tri_tcp_note_activity(self, me);
    choose_steps(me);]]
  NEW [[    if (done.result == TR_ECANCELED)
        tri_tcp_drop_received(me);
    choose_steps(me);]]
  TEST io/sim_transports FILTER sim_transports/paused_it* PORT epoll)

mutation(the_end_is_told_before_the_data
  FILE io/tcp_connection.c
  OLD [[        if (me->end.read.received) {
            if (tri]]
  NEW [[        if (me->flags & TRI_TCP_EOF && !(me->flags & TRI_TCP_EOF_TOLD)) {
            tri_tcp_say_eof(self, me);
        } else if (me->end.read.received) {
            if (tri]]
  TEST io/tcp_flow FILTER tcp_flow/the_end_is_told* DEFAULT)

mutation(full_is_told_again_and_again
  FILE io/tcp_news.c
  OLD [[    own->writable = then;
    me->flags |= TRI_TCP_FULL;]]
  NEW [[    own->writable = then;]]
  TEST io/tcp_flow FILTER tcp_flow/writable_is*)

mutation(writable_is_told_too_early
  FILE io/tcp_news.c
  OLD [[me->queued > me->settings->low)]]
  NEW [[me->queued > me->settings->high)]]
  TEST io/tcp_flow FILTER tcp_flow/writable_is_not*)

mutation(what_came_before_a_reset_is_lost
  FILE io/tcp_connection.c
  OLD [[        } else if (me->flags & TRI_TCP_LOST) {
            tri_tcp_fail(self, me, me->reason);
            return;]]
  NEW [[        } else if (false) {]]
  TEST io/tcp FILTER tcp/what_came_before*)

mutation(writes_go_out_backwards
  FILE io/tcp_writes.c
  OLD [[    self->kept = true;
    tri_lane_push(&me->writes, (tr_msg *)m);
    me->queued]]
  NEW [[    self->kept = true;
    tr_msg *last = me->writes;
    tri_lane_push(&me->writes, (tr_msg *)m);
    me->writes = last ? last : me->writes;
    me->queued]]
  TEST io/tcp FILTER tcp/many_small* DEFAULT)

mutation(what_was_sent_is_sent_again
  FILE io/tcp_writes.c
  OLD [[    size_t skip = me->offset, bytes = 0;]]
  NEW [[    size_t skip = 0, bytes = 0;]]
  TEST io/tcp FILTER tcp/a_write_of_many*)

mutation(the_queue_never_shrinks
  FILE io/tcp_writes.c
  OLD [[    me->queued -= (uint32_t)bytes;
]]
  NEW [[]]
  TEST io/tcp_flow FILTER tcp_flow/the_queue_counts*)

mutation(the_queue_has_no_limit
  FILE io/tcp_writes.c
  OLD [[    if (me->queued > me->settings->write_max)
        return TR_EFULL;
]]
  NEW [[]]
  TEST io/tcp_flow FILTER tcp_flow/a_writer_that*)

mutation(a_flush_is_answered_at_once
  FILE io/tcp_writes.c
  OLD [[    self->kept = true;
    tri_lane_push(&me->writes, (tr_msg *)m);
    me->flags]]
  NEW [[    self->kept = true;
    tr_msg *last = me->writes;
    tri_lane_push(&me->writes, (tr_msg *)m);
    me->writes = last ? last : me->writes;
    me->flags]]
  TEST io/tcp FILTER tcp/flush_answers*)

mutation(a_flush_is_not_refused_at_the_end
  FILE io/tcp_writes.c
  OLD [[            tri_answer_failed(self, self->me, m, TR_ECLOSED);]]
  NEW [[            tri_msg_free(m);]]
  TEST io/tcp FILTER tcp/flush_answers*)

mutation(close_drops_what_was_written
  FILE io/tcp_end.c
  OLD [[    if (me->writes || me->end.write)
        return;
    if (me->flags]]
  NEW [[    if (!(me->flags & TRI_TCP_CLOSING) && (me->writes || me->end.write))
        return;
    if (me->flags]]
  TEST io/tcp_flow FILTER tcp_flow/pausing_a_closing*)

mutation(shutdown_does_not_wait
  FILE io/tcp_end.c
  OLD [[    if (me->writes || me->end.write)
        return;
    if (me->flags]]
  NEW [[    if (me->flags & TRI_TCP_SHUT)
        shut(self, me);
    if (me->writes || me->end.write)
        return;
    if (me->flags]]
  TEST io/tcp FILTER tcp/shutdown_waits*)

mutation(a_crash_has_no_second_stack
  FILE sched/crash_posix.c
  OLD [[    sigaltstack(&(stack_t){ .ss_sp = memory, .ss_size = size }, NULL);]]
  NEW [[    (void)0;]]
  TEST actors/crash FILTER crash/a_stack_that_is_used_up*)

mutation(a_crash_is_not_passed_on
  FILE sched/crash_posix.c
  OLD [[        was.sa_sigaction(number, info, context);
        return;]]
  NEW [[        signal(number, SIG_DFL);
        return;]]
  TEST actors/crash_linux FILTER crash_linux/who_took*)

mutation(fork_is_not_noticed
  FILE mailbox/fork_posix.c
  OLD [[    pthread_atfork(before, in_parent, in_child);]]
  NEW [[    (void)before, (void)in_parent, (void)in_child;]]
  TEST io/fork FILTER fork/what_is_the_parents*)

mutation(fork_leaves_the_numbers_of_systems
  FILE actors/system.c
  OLD [[        first_number += TRI_SYSTEMS_MAX;]]
  NEW [[        first_number += 0;]]
  TEST io/fork FILTER fork/what_is_the_parents*)

mutation(no_step_follows_a_flush
  FILE io/tcp_end.c
  OLD [[    tri_tcp_writes_answer(self, me);
    tri_tcp_check_low]]
  NEW [[    tri_tcp_check_low]]
  TEST io/tcp_end FILTER tcp_end/flushed_and_closed*)

mutation(a_detach_that_is_aborted_succeeds
  FILE io/tcp_end.c
  OLD [[    refuse_detach(self, me, me->reason ? me->reason : TR_ECLOSED);
    begin_to_end]]
  NEW [[    begin_to_end]]
  TEST io/tcp_end FILTER tcp_end/a_detach_is_refused*)

mutation(a_new_owner_has_the_marks_of_the_old
  FILE io/tcp_connection.c
  OLD [[    tri_tcp_forget_marks(me); /* what]]
  NEW [[    /* what]]
  TEST io/tcp_end FILTER tcp_end/a_new_owner*)

# ---- what the simulator sees by itself: no program of these tests looks at its bytes -----------------------------------

mutation(every_seventh_delivery_is_lost
  FILE io/tcp_news.c
  OLD [[    me->end.read.received = NULL;
    me->flags |= TRI_TCP_UNHANDLED;
    *m =]]
  NEW [[    me->end.read.received = NULL;
    static unsigned count;
    if (++count % 7 == 0)
        return tr_buf_unref(buf), 0;
    me->flags |= TRI_TCP_UNHANDLED;
    *m =]]
  TEST io/sim_streams FILTER sim_streams/each_owner* DEFAULT)

mutation(every_seventh_send_has_a_byte_twice
  FILE io/tcp_writes.c
  OLD [[    if (done.result > 0)
        retire(self, me, (uint64_t)done.result);]]
  NEW [[    static unsigned count;
    if (done.result > 0)
        retire(self, me, (uint64_t)done.result - (++count % 7 == 0));]]
  TEST io/sim_streams FILTER sim_streams/each_owner*)

mutation(what_arrives_comes_in_front
  FILE io/op.c
  OLD [[tr_buf_join(op->received, buf)]]
  NEW [[tr_buf_join(buf, op->received)]]
  TEST io/sim_streams FILTER sim_streams/each_owner*)

mutation(a_simulated_address_is_free_at_once
  FILE io/sim/net.c
  OLD [[    return !listens && waits(socket->node, address);]]
  NEW [[    (void)listens;
    return false && waits(socket->node, address);]]
  TEST io/sim_net FILTER sim_net/an_address_is_in_use*)

mutation(a_host_that_crashes_says_goodbye
  FILE io/sim/net.c
  OLD [[    if (socket->node->down) {
        out->writer = NULL;
        return;
    }]]
  NEW [[]]
  TEST io/sim_net FILTER sim_net/who_only_reads_and_has*)

mutation(a_way_that_is_cut_is_cut_both_ways
  FILE io/sim/net.c
  OLD [[is_cut(world, c->ends[!there], c->ends[there])]]
  NEW [[(is_cut(world, c->ends[!there], c->ends[there]) || is_cut(world, c->ends[there], c->ends[!there]))]]
  TEST io/sim_net FILTER sim_net/what_is_cut_one_way*)

mutation(timers_forget_that_clocks_differ
  FILE sched/sim.c
  OLD [[due : due - ahead;]]
  NEW [[due : due;
    (void)ahead;]]
  TEST io/sim_net FILTER sim_net/clocks_differ*)

mutation(twins_are_not_compared
  FILE io/sim/twin.c
  OLD [[        if (again.hash != result->hash || error) {]]
  NEW [[        if (error) {]]
  TEST io/sim_trace FILTER sim_trace/a_program_that_is_another*)

mutation(nobody_asks_what_a_quiet_connection_waits_for
  FILE io/sim/run.c
  OLD [[    tri_ledgers_rest(world, true);
]]
  NEW [[]]
  TEST io/sim_ledger FILTER sim_ledger/who_waits_for_ever*)

mutation(a_close_leaves_what_its_peer_still_sends
  FILE io/tcp_end.c
  OLD [[    return !(me->flags & (TRI_TCP_EOF | TRI_TCP_LOST)) && s->own]]
  NEW [[    return false && s->own]]
  TEST io/sim_streams FILTER sim_streams/what_was_sent_before_a_close*)

mutation(who_has_ended_waits_on_for_descriptors
  FILE io/shortage.c
  OLD [[        if (ck_pr_load_64(&waiters[i]) == transport.bits &&]]
  NEW [[        if (false &&]]
  TEST io/shortage FILTER shortage/one_that_waits* PORT epoll)

mutation(what_is_kept_was_not_heard
  FILE io/owner.c
  OLD [[    if (slot && !has_taken_of(self, transport))]]
  NEW [[    if (slot && (true || has_taken_of(self, transport)))]]
  TEST io/tcp_owner FILTER tcp_owner/one_that_keeps*)

mutation(a_hush_before_the_join_is_forgotten
  FILE actors/ward.c
  OLD [[        hush_early(guardian, ward);
        return;]]
  NEW [[        (void)hush_early;
        return;]]
  TEST actors/ward FILTER ward/one_is_hushed*)

mutation(who_lingers_does_not_give_way
  FILE io/shortage.h
  OLD [[    return ck_pr_load_32(&tri_shortage_waiting) > 0 || now]]
  NEW [[    return now]]
  TEST io/tcp_listen FILTER tcp_listen/connections_that_linger*)

mutation(who_lingers_does_not_give_way_to_who_connects
  FILE io/tcp.c
  OLD [[        tri_shortage_refused(tr_now(self));]]
  NEW [[        (void)self;]]
  TEST io/tcp_end FILTER tcp_end/connections_that_linger*)

mutation(who_is_refused_with_a_word_is_reset
  FILE io/tcp_connection.c
  OLD [[        if (me->flags & TRI_TCP_CLOSING) { /* it was refused, perhaps with a word */]]
  NEW [[        if (false) {]]
  TEST io/tcp_listen FILTER tcp_listen/who_is_refused*)

mutation(a_system_is_trimmed_before_it_has_workers
  FILE actors/system.c
  OLD [[        if (ck_pr_load_uint(&system->runs) && !system->config.sched.sim) { /* which has no pools */]]
  NEW [[        if (!system->config.sched.sim) {]]
  TEST actors/system FILTER system/memory_can_be_trimmed*)

mutation(that_it_is_dismissed_is_seen_once
  FILE actors/slot.h
  OLD [[    const uint64_t taken = TRI_SIGNALS & ~(uint64_t)TRI_SIGNAL_DISMISS;]]
  NEW [[    const uint64_t taken = TRI_SIGNALS;]]
  TEST actors/slot FILTER slot/that_it_is_dismissed*)
