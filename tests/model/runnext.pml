/*
 * The run-next slot (sched/runnext.h): an owner that puts and takes by plain
 * stores, thieves that make a barrier in all threads.
 *
 * Goal:   each task that was put is taken once, by the owner or by a thief.
 * Method: the owner's stores go through a buffer, as on x86: they reach the
 *         memory in order, at any time, and at the latest with a barrier or an
 *         exchange. A thief takes what it sees, like one that found it stale
 *         before; the same two tasks are put again and again.
 *
 * mutant NO_BARRIER: the thief makes no barrier
 * mutant NO_TAKING_LOOK: the thief does not look whether the owner takes
 * mutant NO_CLAIM_LOOK: the owner does not look whether a thief is at it
 * mutant CLEAR_LATE: the owner's taking is over before the slot is empty
 * mutant LOOK_FIRST: the owner looks for a thief before it announces itself
 * mutant NO_LOCK: two thieves may be at it
 * mutant PUT_BLIND: the owner puts where a task stands
 */
#define THIEVES 2
#define TRIES 1
#define PUTS 3
#define TASKS 2
#define BUFFER 3
#define NIL 0

mtype = { TASK, TAKING };

/* The memory. */
byte task = NIL;
bool taking, claim;

/* The owner's store buffer, oldest first. */
mtype what[BUFFER];
byte value[BUFFER];
byte pending;

bool there[TASKS + 1]; /* put, and not taken yet */
byte i;                /* scratch, 0 between steps */

inline drain_one()
{
    if
    :: what[0] == TASK -> task = value[0]
    :: what[0] == TAKING -> taking = value[0]
    fi;
    do
    :: i + 1 < pending ->
        what[i] = what[i + 1];
        value[i] = value[i + 1];
        i++
    :: else -> break
    od;
    pending--;
    what[pending] = 0;
    value[pending] = 0;
    i = 0
}

inline drain()
{
    do
    :: pending > 0 -> drain_one()
    :: else -> break
    od
}

/* The owner's store. A full buffer drains first. */
inline store(w, v)
{
    atomic {
        if
        :: pending == BUFFER -> drain_one()
        :: else
        fi;
        what[pending] = w;
        value[pending] = v;
        pending++
    }
}

/* The owner sees its own stores at once. */
inline look(out)
{
    atomic {
        out = task;
        do
        :: i < pending ->
            if
            :: what[i] == TASK -> out = value[i]
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
}

inline took(t)
{
    assert(there[t]);
    there[t] = false
}

/* The memory system. */
active proctype flusher()
{
end:
    do
    :: atomic { pending > 0 -> drain_one() }
    od
}

active proctype owner()
{
    byte puts, t, old;
    bool seen;
    do
    :: puts < PUTS ->
        puts++;
        atomic {
            if
            :: !there[1] -> t = 1
            :: !there[2] -> t = 2
            :: else -> t = NIL
            fi
        }
        if
        :: t == NIL
        :: else ->
            there[t] = true;
            look(old);
            if
#ifdef PUT_BLIND
            :: true -> store(TASK, t)
#else
            :: old == NIL -> store(TASK, t)
            :: else -> there[t] = false /* not put */
#endif
            fi
        fi
    :: puts > 0 -> /* take */
        look(old);
        if
        :: old == NIL ->
            if
            :: puts == PUTS ->
                assert(!there[1] && !there[2]); /* none is lost */
                break
            :: else
            fi
        :: else ->
#ifdef LOOK_FIRST
            seen = claim;
            store(TAKING, true);
#else
            store(TAKING, true);
            seen = claim;
#endif
#ifdef NO_CLAIM_LOOK
            seen = false;
#endif
            if
            :: seen ->
                atomic { /* the exchange */
                    drain();
                    old = task;
                    task = NIL;
                    if
                    :: old != NIL -> took(old)
                    :: else
                    fi
                }
                store(TAKING, false)
            :: else ->
                look(old);
#ifdef CLEAR_LATE
                store(TAKING, false);
                store(TASK, NIL);
#else
                store(TASK, NIL);
                store(TAKING, false);
#endif
                atomic {
                    if
                    :: old != NIL -> took(old)
                    :: else
                    fi
                }
            fi
        fi
    od
}

active [THIEVES] proctype thief()
{
    byte t;
    bool busy;
    byte tries;
    do
    :: tries < TRIES ->
        tries++;
        t = task;
        if
        :: t == NIL
        :: else ->
#ifdef NO_LOCK
            claim = true;
            busy = false;
#else
            atomic { busy = claim; claim = true }
#endif
            if
            :: busy
            :: else ->
#ifndef NO_BARRIER
                atomic { drain() }
#endif
                busy = taking;
#ifdef NO_TAKING_LOOK
                busy = false;
#endif
                atomic { /* the compare-and-swap */
                    if
                    :: !busy && task == t ->
                        task = NIL;
                        took(t)
                    :: else
                    fi
                }
                claim = false
            fi;
            t = NIL;
            busy = false
        fi
    :: tries == TRIES -> break
    od
}
