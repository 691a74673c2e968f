/*
 * The inbox (mailbox/inbox.h): pushes of one exchange and one link, a consumer
 * that goes idle by the mark in `tail` and may take its role back.
 *
 * Goal:   each message is taken once and in its sender's order; there is never
 *         a second consumer, and never mail without one; no node is freed that
 *         somebody still writes to.
 * Method: two producers, whose nodes come from those that the consumer freed, so
 *         that addresses come again. Each access to `tail` and to a `next` is
 *         one step.
 *
 * mutant NULL_LATE: the exchange does not order `next = NULL` before it
 * mutant IDLE_BLIND: going idle does not look whether something came
 * mutant IDLE_APART: the mark is set in another step than the look
 * mutant WAKE_NEVER: a push does not see the mark
 * mutant WAKE_ALWAYS: each push schedules
 * mutant FREE_NEWEST: the consumer frees what it took, and not the one before
 * mutant BUSY_TAKES: a half done push is passed over
 * mutant RECLAIM_BLIND: the role is taken back without a look
 */
#define PRODUCERS 2
#define EACH 2 /* messages of one producer */
#define NODES 4
#define NIL 255

byte next[NODES];
bool freed[NODES];
byte from[NODES], number[NODES];
byte tail, head;
bool idle = true;
byte scheduled;
bool consuming;
byte wanted[PRODUCERS]; /* the consumer's: the next number of each */
byte handled;

proctype producer(byte me)
{
    byte i, m, old;
    bool was;
    do
    :: i < EACH ->
        atomic { /* a block from the pool, or wait for one */
            if
            :: freed[1] -> m = 1
            :: freed[2] -> m = 2
            :: freed[3] -> m = 3
            :: freed[0] -> m = 0
            fi;
            freed[m] = false;
            from[m] = me;
            number[m] = i
        }
#ifndef NULL_LATE
        next[m] = NIL;
#endif
        atomic { old = tail; was = idle; tail = m; idle = false }
#ifdef NULL_LATE
        next[m] = NIL;
#endif
        atomic {
            assert(!freed[old]);
            next[old] = m
        }
#ifdef WAKE_NEVER
        was = false;
#endif
#ifdef WAKE_ALWAYS
        was = true;
#endif
        if
        :: was -> atomic { scheduled++; assert(scheduled == 1 && !consuming) }
        :: else
        fi;
        i++
    :: else -> break
    od
}

active proctype consumer()
{
    byte n, m;
endwait:
    atomic { scheduled > 0 -> scheduled--; assert(!consuming); consuming = true }
pop:
    n = next[head];
    if
    :: n != NIL ->
        atomic {
            assert(number[n] == wanted[from[n]]);
            wanted[from[n]]++;
            handled++;
#ifdef FREE_NEWEST
            freed[n] = true;
#else
            freed[head] = true;
#endif
            head = n
        };
        goto pop
    :: else
    fi;
#ifdef BUSY_TAKES
    if
    :: tail != head -> atomic { freed[head] = true; head = tail }; goto pop
    :: else
    fi;
#else
    if
    :: tail != head -> (next[head] != NIL); goto pop /* half done */
    :: else
    fi;
#endif
#ifdef IDLE_BLIND
    atomic { tail = head; idle = true; consuming = false };
#else
#ifdef IDLE_APART
    consuming = false;
    idle = true;
#else
    atomic {
        if
        :: tail == head && !idle -> idle = true; consuming = false
        :: else -> goto pop
        fi
    }
#endif
#endif
    if
    :: goto endwait
    :: skip /* a wait that timed out */
    fi;
    atomic {
#ifdef RECLAIM_BLIND
        idle = false;
        assert(!consuming && scheduled == 0);
        consuming = true;
        goto pop
#else
        if
        :: tail == head && idle ->
            idle = false;
            assert(!consuming && scheduled == 0);
            consuming = true;
            goto pop
        :: else -> goto endwait
        fi
#endif
    }
}

init
{
    atomic {
        next[0] = NIL;
        freed[1] = true;
        freed[2] = true;
        freed[3] = true;
        run producer(0);
        run producer(1)
    }
}

active proctype judge()
{
    timeout;
    assert(handled == PRODUCERS * EACH);
    assert(!consuming && scheduled == 0 && idle)
}
