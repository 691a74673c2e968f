/*
 * The lane beside an inbox (actors/lane.h): a ring whose messages have tokens in
 * the inbox, and an urgent list with an alert and one token that wakes.
 *
 * Goal:   messages and signals of one sender are handled in the order sent, but
 *         for what was dropped, and urgent ones in theirs; nothing ordinary is
 *         handled while something urgent waited when it was taken; a death comes
 *         behind all; nothing is forgotten.
 * Method: two senders, each with some messages and signals by chance, then its
 *         death, or silence. Each section under the lane's lock is one step, with the push
 *         in it. The inbox is a queue that wakes (inbox.pml proves that); what
 *         gri_inbox_put_back puts in front of it is a stack.
 *
 * mutant JOIN_BLIND: a message joins a row though a signal stands behind it
 * mutant CLOSE_NEVER: a row whose token was reached still takes messages
 * mutant END_FORGOTTEN: a new token does not end the row before it
 * mutant TAKE_ALL: a token gives what stands behind its row, too
 * mutant ALERT_NEVER: the receiver is woken, but not told to look
 * mutant LOOK_FIRST: the receiver looks before it takes from the inbox
 * mutant CLEAR_APART: the alert ends in another step than the look
 * mutant OVERTAKE_AGAIN: an urgent message is overtaken by the next one
 * mutant WAKE_BLIND: who is woken does not look
 * mutant WOKEN_STAYS: who was woken is not woken again
 */
#define SENDERS 2
#define EACH 2     /* things that one sends before it dies */
#define RING_MAX 2 /* messages */
#define TOKENS 6   /* more than SENDERS * EACH; 0 is none */

mtype = { LANE, URGENT, SIGNAL, DEATH, MESSAGE, URGED };

chan inbox = [12] of { mtype, byte, byte };
chan ring = [RING_MAX] of { byte, byte };  /* sender, number */
chan urgent = [4] of { byte, byte };
byte in_ring, in_urgent; /* so many; an `else` may not look at a channel */
byte left, open, newest, tokens;
byte end[TOKENS];
bool woken, alert;
bool idle = true, scheduled;

byte sent_urgent[SENDERS], seen_urgent[SENDERS];
byte sent_ring[SENDERS], left_ring[SENDERS];
byte seen[SENDERS]; /* the last number, and one more */
bool dead[SENDERS];

/* Part of a step. `what` is a token, or 0. */
inline push(kind, a, b, what)
{
    inbox!kind, a, b;
    newest = what;
    if
    :: idle -> idle = false; assert(!scheduled); scheduled = true
    :: else
    fi
}

inline new_token()
{
#ifdef JOIN_BLIND
    if
    :: open != 0
    :: else ->
#else
    if
    :: open != 0 && newest == open
    :: else ->
#endif
        tokens++;
#ifndef END_FORGOTTEN
        end[open] = left + in_ring; /* of none: harmless */
#endif
        open = tokens;
        fresh = tokens
    fi
}

proctype sender(byte me)
{
    byte i, fresh, s, n;
    do
    :: i < EACH ->
        if
        :: atomic { /* to the ring */
            fresh = 0;
            new_token();
            if
            :: fresh != 0 -> push(LANE, fresh, 0, fresh)
            :: else
            fi;
            if
            :: in_ring == RING_MAX -> ring?s, n; left++; left_ring[s]++
            :: else -> in_ring++
            fi;
            ring!me, i;
            sent_ring[me]++
           }
        :: atomic { /* urgent; an `else` may not stand first in an option */
            true;
            if
            :: !woken -> woken = true; push(URGENT, 0, 0, 0)
            :: else
            fi;
            urgent!me, sent_urgent[me];
            in_urgent++;
            sent_urgent[me]++;
#ifndef ALERT_NEVER
            alert = true
#endif
           }
        :: atomic { push(SIGNAL, me, i, 0) }
        fi;
        i++
    :: else -> break
    od;
    if
    :: atomic { push(DEATH, me, i, 0) }
    :: skip /* it lives on, and is silent */
    fi
}

active proctype receiver()
{
    mtype front[4];
    byte fa[4], fb[4], depth;
    mtype kind;
    byte a, b, u, n;
    bool put_back, waited;
endwait:
    atomic { scheduled -> scheduled = false }
pop:
#ifdef LOOK_FIRST
    if
    :: alert && depth == 0 -> atomic {
        if
        :: in_urgent > 0 -> urgent?u, n; in_urgent--;
            front[depth] = URGED; fa[depth] = u; fb[depth] = n; depth++
        :: else -> alert = false
        fi
       }
    :: else
    fi;
#endif
    atomic {
        if
        :: depth > 0 ->
            depth--;
            kind = front[depth]; a = fa[depth]; b = fb[depth]
        :: depth == 0 && nempty(inbox) -> inbox?kind, a, b
        :: depth == 0 && empty(inbox) ->
            assert(!idle && !scheduled);
            idle = true;
            goto endwait
        fi;
        waited = in_urgent > 0
    }
#ifndef LOOK_FIRST
    if
    :: alert ->
#ifndef OVERTAKE_AGAIN
        if
        :: put_back -> assert(kind == URGED); put_back = false; goto handle
        :: else
        fi;
#endif
#ifdef CLEAR_APART
        if
        :: in_urgent == 0 -> alert = false; goto handle
        :: else
        fi;
#endif
        atomic {
            if
            :: in_urgent > 0 ->
                urgent?u, n; in_urgent--;
                front[depth] = kind; fa[depth] = a; fb[depth] = b; depth++;
                front[depth] = URGED; fa[depth] = u; fb[depth] = n; depth++;
                put_back = true;
                goto pop
            :: else -> alert = false
            fi
        }
    :: else -> assert(!put_back)
    fi;
#endif
handle:
    atomic {
        if
        :: kind == LANE ->
#ifdef CLOSE_NEVER
            if
            :: open == a -> end[a] = left + in_ring
            :: else
            fi;
#else
            if
            :: open == a -> open = 0; end[a] = left + in_ring
            :: else
            fi;
#endif
#ifdef TAKE_ALL
            if
            :: in_ring > 0 ->
#else
            if
            :: left < end[a] ->
#endif
                ring?u, n;
                in_ring--;
                left++;
                front[depth] = LANE; fa[depth] = a; fb[depth] = 0; depth++;
                front[depth] = MESSAGE; fa[depth] = u; fb[depth] = n; depth++
            :: else
            fi
        :: kind == URGENT ->
#ifndef WOKEN_STAYS
            woken = false;
#endif
#ifndef WAKE_BLIND
            if
            :: in_urgent > 0 ->
                urgent?u, n; in_urgent--;
                front[depth] = URGENT; fa[depth] = 0; fb[depth] = 0; depth++;
                front[depth] = URGED; fa[depth] = u; fb[depth] = n; depth++;
#ifndef LOOK_FIRST
                put_back = true
#endif
            :: else
            fi
#endif
        :: kind == URGED ->
            assert(!dead[a] && seen_urgent[a] == b);
            seen_urgent[a]++
        :: else ->
            assert(!waited && !dead[a] && b >= seen[a]);
            seen[a] = b + 1;
            if
            :: kind == MESSAGE -> left_ring[a]++
            :: kind == DEATH ->
                dead[a] = true;
                assert(seen_urgent[a] == sent_urgent[a]);
                assert(left_ring[a] == sent_ring[a])
            :: else
            fi
        fi
    }
    goto pop
}

init
{
    atomic {
        run sender(0);
        run sender(1)
    }
}

active proctype judge()
{
    timeout;
    assert(idle && !scheduled);
    assert(empty(ring) && empty(urgent) && empty(inbox))
}
