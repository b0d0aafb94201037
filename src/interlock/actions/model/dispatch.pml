/* Claim, fence, dispatch, sending and record of one action, for every kind of connector.

   Two workers; each may be killed or paused anywhere, lose its case, and wake up. A pause needs no step of its own: a
   process that is not scheduled while the clock ticks is asleep. README.md says what is checked, how it is run, and
   what each part stands for in interlock/actions. One tick is any span: only the order of moments counts.

   What the connector can do (-D):     HONOURS, FORGETS (keys, after RETENTION), LOOKUP, VOIDS, TRANSACTIONAL
   What is broken on purpose (-D):     NO_TIMER, ARMED_LATE, LET_GO_EARLY, NO_DRAIN, LOOKUP_ALONE, LOOKED_TOO_EARLY,
                                       KEY_TRUSTED, KEY_SEEN_BEFORE, NO_FENCE, UNCOMMITTED, PERSON_EARLY, VOID_SAME_KEY,
                                       VOID_FORGOTTEN, VOID_UNFENCED */

#ifndef ATTEMPTS
#define ATTEMPTS 2
#endif
#ifndef TAKEOVERS
#define TAKEOVERS 1     /* cases taken from a living worker: it was paused or cut off until its lease ran out */
#endif
#ifndef KILLS
#define KILLS 1         /* holders killed at any moment, beside those that the kernel timer kills */
#endif
#ifndef UNKNOWNS
#define UNKNOWNS 1      /* look-ups and voidings that fail */
#endif
#ifndef REFUSALS
#define REFUSALS 1      /* dispatches that limits refuse outright */
#endif

#define TIMEOUT   1     /* from the dispatch commit to the request's deadline */
#define GRACE     1     /* from there to the death of a process that has not let go */
#define LIFE      1     /* max_request_life */
#define RETENTION 5     /* key_retention, from a key's first use */
#define SENDS     (ATTEMPTS + 1)
#define KEYS      (ATTEMPTS + 1)

#ifdef NO_DRAIN
#define DRAIN 0
#else
#define DRAIN LIFE
#endif

mtype:action = { READY, DISPATCHING, IN_DOUBT, DONE, FAILED, EXCEPTION }
mtype:cases  = { DUE, RUNNING, PARKED, PERSON, ENDED }
mtype:answer = { NONE, YES, NOT_NOW, NEVER, LOST }

/* The database. The first claim has been made. */
mtype:action state = READY
mtype:cases  cases = RUNNING
bool holds[2]           /* whether a worker's fence is the case's; fences only grow, so equality is all that counts */
byte wake               /* until a parked case is due */
byte attempt
byte generation         /* of the key */
byte open               /* attempts that may have taken effect, as far as is known: a bit each */
byte safe               /* until max(send_deadline, sender_ends_at) + max_request_life: until no request can live */
byte asked              /* until send_deadline + max_request_life, of the last attempt */
byte before             /* ``safe`` of the attempts before the last */
byte key                /* until the key may be forgotten, from first_sent_at */

/* Processes and the network. */
bool kill[2]
byte timer[2]           /* the kernel timer: until the process is killed; 0: not armed */
byte due[2]             /* until the deadline of the request that the process sends */
mtype:answer said[2] = NONE    /* the answer that has arrived */
byte waits[2]           /* which sending it awaits; 0: none */
byte sends
bool flying[SENDS]
byte lives[SENDS]       /* until it is gone */
byte under[SENDS]       /* its key's generation */
bit sender[SENDS]

/* The other side. */
bool booked[KEYS]       /* its book: the effect under a key */
byte memory[KEYS]       /* until it forgets the key */
bool voided[KEYS]
byte effects

/* What may still go wrong. */
byte takeovers = TAKEOVERS
byte kills     = KILLS
byte unknowns  = UNKNOWNS
byte refusals  = REFUSALS
byte doubles   = 1      /* requests that a proxy repeats, where keys are honoured */
bool excused            /* whether failing is right: it was refused, or no attempt is left, or a person said so */

#define max(a, b) ((a) > (b) -> (a) : (b))
#define bit_of(n) (1 << (n))

#ifdef HONOURS
#ifdef FORGETS
#define REMEMBERED (key > TIMEOUT + GRACE + LIFE)
#define remembers(g) (memory[g] > 0)
#else
#define REMEMBERED true
#define remembers(g) booked[g]
#endif
#else
#define REMEMBERED false
#define remembers(g) false
#endif

#ifdef KEY_TRUSTED
#define MAY_REPEAT true
#else
#define MAY_REPEAT REMEMBERED
#endif

#ifdef LOOKUP_ALONE
#define DEAD true
#else
#define DEAD (safe == 0)
#endif

#ifdef VOID_FORGOTTEN
#define MUST_VOID !cleared
#else
#define MUST_VOID true  /* also when nothing can arrive any more: a worker that died may have voided the key */
#endif

#ifdef PERSON_EARLY
#define MAY_LOOK true
#else
#define MAY_LOOK (safe == 0)
#endif

#ifdef NO_FENCE
#define OWNS true
#else
#define OWNS holds[w]
#endif

#ifdef EFFECTS_ONLY
#define changed() skip
#else
#define changed() assert(holds[w])           /* a fenced worker changes nothing */
#endif

inline let_all_go() { holds[0] = false; holds[1] = false }

inline ended() {
  cases = ENDED; let_all_go()
  wake = 0; attempt = 0; generation = 0; open = 0; safe = 0; asked = 0; before = 0; key = 0
  takeovers = 0; kills = 0; unknowns = 0; refusals = 0
}

inline end_done() {
  assert(effects == 1)                       /* what is recorded as done is in the other side's book, once */
  state = DONE; ended()
}

inline end_failed() {
  assert(effects == 0 && excused)            /* what is recorded as failed is not, and failed for a reason */
  state = FAILED; ended()
}

inline ask_person() { state = EXCEPTION; cases = PERSON; let_all_go() }

inline park(ticks) { cases = PARKED; wake = ticks; let_all_go() }

inline dispatched() {
  state = DISPATCHING
  mine = attempt; attempt++; named = generation
  open = open | bit_of(mine)
#ifdef FORGETS
  if
  :: mine == 0 -> key = RETENTION
  :: else
  fi
#endif
  before = safe
  safe = max(safe, TIMEOUT + GRACE + DRAIN); asked = TIMEOUT + DRAIN
}

/* ------------------------------------------------------------------------------------------------- a worker */

proctype Worker(bit w) {
  byte mine, named                           /* the attempt and the key's generation that it is about to send or void */
  bool doubt, dead, absent, cleared, repeat
  mtype:answer got = NONE

  if
  :: w == 0 -> goto go_on
  :: else
  fi

idle:
  do
  :: {
    atomic {
      mine = 0; named = 0; doubt = false; dead = false; absent = false; got = NONE
      cases == DUE || (cases == PARKED && wake == 0) ->
        cases = RUNNING; wake = 0; holds[w] = true   /* the claim; whoever held it before lost it at the take-over */
    }

go_on: /* a worker that lost its case reads on: only its next write tells it */
    atomic {
      doubt = false; dead = false; absent = false; got = NONE
      if
      :: state == READY -> doubt = (open != 0)
      :: state == DISPATCHING || state == IN_DOUBT -> named = generation; dead = DEAD; goto settling
      :: else -> goto idle
      fi
    }

#ifdef TRANSACTIONAL
    atomic { /* effect and record are one commit */
      if
      :: OWNS && state == READY -> changed(); effects++; booked[0] = true; end_done()
      :: else
      fi
      goto idle
    }
#else
#ifdef KEY_SEEN_BEFORE
    atomic { repeat = MAY_REPEAT }
#endif
    atomic { /* one commit: the dispatch, or why there is none */
#ifdef KEY_SEEN_BEFORE
      repeat = doubt && !repeat
#else
      repeat = doubt && !MAY_REPEAT          /* the other side may have forgotten the key */
#endif
      if
      :: !(OWNS && state == READY) -> goto idle
      :: OWNS && state == READY && repeat -> changed(); state = IN_DOUBT; goto go_on
      :: OWNS && state == READY && refusals > 0 ->
        changed(); refusals--
        if
        :: doubt -> ask_person()
        :: !doubt -> excused = true; end_failed()
        fi
        goto idle
      :: OWNS && state == READY && !repeat ->
#ifndef UNCOMMITTED
        changed(); dispatched()
#endif
        due[w] = TIMEOUT
#if !defined(NO_TIMER) && !defined(ARMED_LATE) && !defined(LET_GO_EARLY)
        timer[w] = TIMEOUT + GRACE           /* it is armed before; the later it is, the later it strikes */
#endif
      fi
      repeat = false; doubt = false
    }
#ifdef ARMED_LATE
    timer[w] = TIMEOUT + GRACE
#endif
    atomic { /* here it may sleep; then the request leaves, or surely does not: the deadline is over, no connection */
      if
      :: got = NOT_NOW; timer[w] = 0; due[w] = 0
      :: sends < SENDS ->
        flying[sends] = true; lives[sends] = due[w] + LIFE; under[sends] = named; sender[sends] = w
        sends++; waits[w] = sends
      fi
    }
    atomic { /* an answer, a time limit or a cut connection: it lets go, nothing of this request is sent any more */
      if
      :: got == NOT_NOW
      :: got == NONE && said[w] != NONE -> got = said[w]
      :: got == NONE -> got = LOST
      fi
      said[w] = NONE; waits[w] = 0; timer[w] = 0; due[w] = 0
    }
    atomic { /* the answer is recorded */
#ifdef UNCOMMITTED
      if
      :: OWNS && state == READY -> dispatched()
      :: else -> goto idle
      fi
#endif
      if
      :: !(OWNS && state == DISPATCHING) -> goto idle
      :: OWNS && state == DISPATCHING ->
        changed()
        doubt = (open & ~bit_of(mine)) != 0
        safe = max(asked, before)
        if
        :: got == YES -> end_done(); goto idle
        :: got == LOST -> state = IN_DOUBT
        :: (got == NOT_NOW || got == NEVER) && doubt -> open = open & ~bit_of(mine); state = IN_DOUBT
        :: got == NEVER && !doubt -> end_failed(); goto idle
        :: got == NOT_NOW && !doubt ->
          open = 0
          if
          :: attempt >= ATTEMPTS -> excused = true; end_failed(); goto idle
          :: else -> state = READY
          fi
        fi
        mine = 0; named = 0; got = NONE
        goto go_on
      fi
    }
#endif

settling:
    atomic {
#ifdef LOOKUP
      if /* by the key of this generation */
      :: booked[named] -> got = YES
      :: !booked[named] -> absent = true
      :: !booked[named] && sends > 0 && flying[sends - 1] -> got = NOT_NOW   /* accepted and pending */
      :: unknowns > 0 -> unknowns--; got = LOST
      fi
#else
      skip
#endif
    }
    atomic { /* one commit, after ``settle_doubt``: ended, sent again, or waiting */
#ifdef LOOKED_TOO_EARLY
      dead = DEAD                            /* by a clock read after the look-up: what came between is not seen */
#endif
      cleared = absent && dead
      repeat = !cleared && MAY_REPEAT
#if defined(VOIDS) && defined(VOID_UNFENCED)
      if
      :: got == NONE && MUST_VOID && (!repeat || attempt >= ATTEMPTS) -> goto voiding
      :: else
      fi
#endif
      if
      :: !(OWNS && (state == DISPATCHING || state == IN_DOUBT)) -> cleared = false; repeat = false; goto idle
      :: else
      fi
#if defined(VOIDS) && !defined(VOID_UNFENCED)
      if /* it is written first that it is in doubt: a worker that lost its case voids no key that is in use */
      :: got == NONE && MUST_VOID && (!repeat || attempt >= ATTEMPTS) -> changed(); state = IN_DOUBT; goto voiding
      :: else
      fi
#endif
      changed()
      if
      :: got == YES -> end_done()
      :: got == NOT_NOW || got == LOST -> park(1)
      :: got == NOT_NOW || got == LOST -> ask_person()   /* past the action's deadline a person looks */
      :: got == NONE && (cleared || repeat) && attempt < ATTEMPTS ->
        state = READY
        if
        :: cleared -> open = 0
        :: else
        fi
        cleared = false; repeat = false
        goto go_on
      :: got == NONE && cleared && attempt >= ATTEMPTS -> excused = true; end_failed()
      :: got == NONE && repeat && attempt >= ATTEMPTS && absent -> park(safe)
      :: got == NONE && repeat && attempt >= ATTEMPTS && !absent -> ask_person()
      :: got == NONE && !cleared && !repeat && safe > 0 -> park(safe)
      :: got == NONE && !cleared && !repeat && safe == 0 -> ask_person()
      fi
      cleared = false; repeat = false
      goto idle
    }

#ifdef VOIDS
voiding:
    atomic { /* the other side: the key is void, or its effect came first */
      cleared = false; repeat = false; absent = false; dead = false
      if
      :: booked[named] -> got = YES
      :: !booked[named] ->
        voided[named] = true
      :: unknowns > 0 -> unknowns--; got = LOST
      fi
    }
    atomic {
      if
      :: !(OWNS && (state == DISPATCHING || state == IN_DOUBT)) -> goto idle
      :: OWNS && (state == DISPATCHING || state == IN_DOUBT) ->
        changed()
        if
        :: got == YES -> end_done(); goto idle
        :: got == LOST -> park(1); goto idle
        :: got == NONE && attempt >= ATTEMPTS -> excused = true; end_failed(); goto idle
        :: got == NONE && attempt < ATTEMPTS ->
          state = READY; open = 0
#ifndef VOID_SAME_KEY
          generation++
#ifdef FORGETS
          key = RETENTION
#endif
#endif
          goto go_on
        fi
      fi
    }
#endif
  } unless { /* killed: its locks are free, and its cases are due again */
    atomic {
      kill[w] ->
        kill[w] = false; timer[w] = 0; due[w] = 0; said[w] = NONE; waits[w] = 0; cleared = false; repeat = false
        if
        :: holds[w] -> holds[w] = false; cases = DUE
        :: else
        fi
    }
  }
  od
}

/* ----------------------------------------------------------------------------------- the network and the other side */

inline deliver(n) {
  if
  :: voided[under[n]] -> reply = NEVER
  :: !voided[under[n]] && remembers(under[n]) -> reply = YES
  :: !voided[under[n]] && !remembers(under[n]) ->
    if
    :: effects++
       assert(effects <= 1)                  /* at most one effect */
       assert(state != FAILED)               /* and none after it was said that there is none */
       booked[under[n]] = true; reply = YES
#ifdef FORGETS
       memory[under[n]] = RETENTION
#endif
    :: reply = NOT_NOW
    :: excused = true; reply = NEVER
    fi
  fi
  if
  :: waits[sender[n]] == n + 1 && said[sender[n]] == NONE ->
    said[sender[n]] = reply; flying[n] = false; lives[n] = 0; under[n] = 0
  :: waits[sender[n]] != n + 1 ->
    flying[n] = false; lives[n] = 0; under[n] = 0
#ifdef HONOURS
  :: doubles > 0 -> doubles--                /* the answer is lost at a proxy, and the request comes once more */
#endif
  fi
  reply = NONE
}

proctype Outside() {
  mtype:answer reply = NONE
  do
  :: atomic { flying[0] -> deliver(0) }
  :: atomic { flying[1] -> deliver(1) }
  :: atomic { flying[2] -> deliver(2) }
#if ATTEMPTS > 2
  :: atomic { flying[3] -> deliver(3) }
#endif
  od
}

/* A person looks into the other side's book, and says later what became of the action. */
proctype Reviewer() {
  bool seen
  do
  :: atomic { cases == PERSON && MAY_LOOK -> seen = (effects > 0) }
     atomic {
       excused = true
       if
       :: seen -> end_done()
       :: else -> end_failed()
       fi
       seen = false
     }
  od
}

/* ---------------------------------------------------------------------------------------------------- time and faults */

#ifdef FORGETS
#define KEYS_AGE (key + memory[0] + memory[1] + memory[2] > 0)
#else
#define KEYS_AGE false
#endif
#if ATTEMPTS > 2
#define LIVES (lives[0] + lives[1] + lives[2] + lives[3])
#else
#define LIVES (lives[0] + lives[1] + lives[2])
#endif
#define TICKS (safe + wake + timer[0] + timer[1] + due[0] + due[1] + LIVES > 0 || KEYS_AGE)   /* else nothing waits */
#define less(x) x = (x > 0 -> x - 1 : 0)

inline less_life(n) {
  less(lives[n])
  if
  :: lives[n] == 0 -> flying[n] = false; under[n] = 0   /* it was lost, or will never arrive */
  :: else
  fi
}

inline run_down(p) {
  if
  :: timer[p] == 1 -> timer[p] = 0; kill[p] = true
  :: timer[p] > 1 -> timer[p]--
  :: else
  fi
}

proctype Clock() {
  do
  :: atomic {
       TICKS ->
       less(safe); less(asked); less(before); less(wake); less(due[0]); less(due[1])
       less_life(0); less_life(1); less_life(2)
#if ATTEMPTS > 2
       less_life(3)
#endif
#ifdef FORGETS
       less(key); less(memory[0]); less(memory[1]); less(memory[2])
#endif
       run_down(0); run_down(1)
     }
  od
}

proctype Faults() {
  do
  :: atomic { takeovers > 0 && cases == RUNNING -> takeovers--; let_all_go(); cases = DUE }
  :: atomic { kills > 0 && holds[0] -> kills--; kill[0] = true }
  :: atomic { kills > 0 && holds[1] -> kills--; kill[1] = true }
  od
}

/* INVARIANT: when nothing can happen any more, the action has ended: none is lost. */
#ifdef EFFECTS_ONLY
#define all_ended() skip
#else
#define all_ended() assert(cases == ENDED)
#endif
proctype Watch() { timeout -> all_ended() }

init {
  atomic {
    holds[0] = true
    run Worker(0); run Worker(1); run Outside(); run Reviewer(); run Clock(); run Faults(); run Watch()
  }
}
