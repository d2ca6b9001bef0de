//! From decisions to the kernel's filter language: a search tree over the numbers of system calls, so that installing it takes a
//! fraction of what a chain of comparisons takes (the kernel tries every number once to learn which are always allowed).

use seccompiler::sock_filter;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Allowed,
    /// EPERM.
    NotPermitted,
    /// ENOSYS.
    NoSuchCall,
    /// EINVAL: what an older kernel says of an option that it does not have.
    NoSuchOption,
    /// ENOTTY: what a file or device says of a request that is not for its kind.
    NoSuchRequest,
    /// Success, and nothing is done: it is so already.
    Done,
}

impl Answer {
    /// As the kernel has it.
    pub(super) fn word(self) -> u32 {
        match self {
            Self::Allowed => libc::SECCOMP_RET_ALLOW,
            Self::NotPermitted => libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
            Self::NoSuchCall => libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32,
            Self::NoSuchOption => libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32,
            Self::NoSuchRequest => libc::SECCOMP_RET_ERRNO | libc::ENOTTY as u32,
            Self::Done => libc::SECCOMP_RET_ERRNO,
        }
    }
}

/// An answer for those calls for which all conditions hold.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) conditions: Vec<Condition>,
    pub(super) answer: Answer,
}

/// Something about one half of one argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    pub(super) argument: u32,
    pub(super) half: Half,
    pub(super) mask: u32,
    pub(super) value: u32,
}

/// Arguments are 64 bits, what a filter looks at is 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// The whole of what is an `int` to the kernel, which ignores the rest.
    Lower,
    /// The rest of what is an address.
    Upper,
}

/// Where things lie in `struct seccomp_data` on a little-endian machine.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;

/// `AUDIT_ARCH_…`: the ELF machine, 64 bits, little-endian.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 62 | 0xc000_0000;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 183 | 0xc000_0000;

/// All calls from a number on, until the next span begins.
struct Span<'a> {
    from: u32,
    cases: &'a [Case],
    otherwise: Answer,
}

/// Compiles decisions that are in the order of their numbers. Calls without one do not exist.
pub(super) fn compile(decisions: &[(u32, Vec<Case>, Answer)]) -> Vec<sock_filter> {
    let none = |from| Span { from, cases: &[], otherwise: Answer::NoSuchCall };
    let mut spans: Vec<Span<'_>> = vec![none(0)];
    for (call, cases, otherwise) in decisions {
        spans.push(Span { from: *call, cases, otherwise: *otherwise });
        spans.push(none(call + 1));
    }
    // Of two that begin at the same number the later counts; neighbours with one answer are one.
    let mut merged: Vec<Span<'_>> = Vec::with_capacity(spans.len());
    for span in spans {
        merged.pop_if(|last| last.from == span.from);
        let same = |last: &Span<'_>| last.cases.is_empty() && span.cases.is_empty() && last.otherwise == span.otherwise;
        if !merged.last().is_some_and(same) {
            merged.push(span);
        }
    }
    let mut program = vec![
        load(ARCHITECTURE_AT),
        jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0),
        answer(libc::SECCOMP_RET_KILL_PROCESS),
        load(NUMBER_AT),
    ];
    program.extend(search(&merged));
    program
}

/// Finds the span in which the loaded number lies.
fn search(spans: &[Span<'_>]) -> Vec<sock_filter> {
    if let [span] = spans {
        return decide(span);
    }
    let (lower, upper) = spans.split_at(spans.len() / 2);
    let (from, lower, upper) = (upper[0].from, search(lower), search(upper));
    let mut program = match u8::try_from(lower.len()) {
        Ok(length) => vec![jump(libc::BPF_JGE, from, length, 0)],
        // Too far for a comparison to jump.
        Err(_) => vec![jump(libc::BPF_JGE, from, 0, 1), statement(libc::BPF_JMP | libc::BPF_JA, lower.len() as u32)],
    };
    program.extend(lower);
    program.extend(upper);
    program
}

/// The answers of one span.
fn decide(span: &Span<'_>) -> Vec<sock_filter> {
    let mut program = Vec::new();
    for case in span.cases {
        let mut left = case.conditions.len() * 3;
        for condition in &case.conditions {
            left -= 3;
            program.extend([
                load(ARGUMENTS_AT + 8 * condition.argument + 4 * u32::from(condition.half == Half::Upper)),
                statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, condition.mask),
                // Past the other conditions and the answer.
                jump(libc::BPF_JEQ, condition.value, 0, left as u8 + 1),
            ]);
        }
        program.push(answer(case.answer.word()));
    }
    program.push(answer(span.otherwise.word()));
    program
}

fn load(at: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at)
}

fn answer(word: u32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, word)
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn jump(comparison: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | comparison | libc::BPF_K) as u16, jt, jf, k }
}

/// What the kernel would make of a call.
#[cfg(test)]
pub(super) fn run(program: &[sock_filter], call: u32, arguments: [u64; 6]) -> u32 {
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at];
        at += 1;
        let code = u32::from(code);
        match code & 0x07 {
            libc::BPF_LD => {
                accumulator = match k {
                    NUMBER_AT => call,
                    ARCHITECTURE_AT => ARCHITECTURE,
                    at => {
                        let argument = arguments[(at - ARGUMENTS_AT) as usize / 8];
                        if at % 8 == 0 { argument as u32 } else { (argument >> 32) as u32 }
                    }
                }
            }
            libc::BPF_ALU => accumulator &= k,
            libc::BPF_RET => return k,
            libc::BPF_JMP => {
                let holds = match code & 0xf0 {
                    libc::BPF_JA => {
                        at += k as usize;
                        continue;
                    }
                    libc::BPF_JEQ => accumulator == k,
                    libc::BPF_JGE => accumulator >= k,
                    other => panic!("no such comparison: {other:#x}"),
                };
                at += usize::from(if holds { jt } else { jf });
            }
            other => panic!("no such class: {other:#x}"),
        }
    }
}
