"""What the pure rooms may call, read off the undefined symbols of their static libraries.

An allow list, so that a call nobody thought of (a clock, a socket, a file, randomness, a lock) is a failure until somebody
has decided that it is pure.
"""

import glob
import os
import re
import subprocess

import layering

ROOMS = ('wire', 'crypto', 'content', 'transport', 'swarm', 'storage', 'discovery', 'tracker')
# Outside the promise: storage's library of system calls and threads. The tracker's server has a folder of its own, which is
# not looked into.
EXEMPT_LIBRARIES = {'storage': ('libpeernet_storage_posix.a',)}

EVERYWHERE = [
    # Memory and strings; checked variants of _FORTIFY_SOURCE.
    r'(__)?mem(cpy|move|set|cmp|chr|rchr)(_chk)?|bcmp|str(len|cmp|ncmp|chr|nlen)|(__)?v?snprintf(_chk)?|malloc|calloc|free|abort',
    # The language: operator new and delete, exceptions, static guards, thread-locals, virtual tables.
    r'_Zn[wa]m.*|_Zd[la]Pv.*|__cxa_(?!thread_atexit)\w+|__gxx_personality_v0|_Unwind_Resume|__stack_chk_fail|__dso_handle|'
    r'__tls_get_addr|__libc_single_threaded|_GLOBAL_OFFSET_TABLE_|_ZT[VI]N10__cxxabiv1\w+|__cpu_model|__cpu_indicator_init',
    # The parts of libstdc++ that only compute: strings, containers, function objects, numbers as text, what they throw.
    r'_ZNK?St7__cxx1112basic_string\w+|_ZNK?SbI\w+|_ZSt\d+__throw_\w+|_ZSt\d+_Rb_tree_\w+|_ZNK?St8__detail\w+|_ZSt11_Hash_bytesPKvmm|'
    r'_ZSt(8to_chars|10from_chars)\w+|_ZSt7nothrow|_ZSt9terminatev|_ZSt21__glibcxx_assert_fail\w+|_ZNK?St16_Sp_counted_base\w+|'
    r'_ZNSt19_Sp_make_shared_tag\w+|_ZNK?St(9exception|9bad_alloc|11logic_error|12length_error|12out_of_range|13runtime_error)\w+|'
    r'_ZT[IV]St\w+|_ZN?K?St3pmr\w+|_ZNSt17__\w*bad_expected\w+',
    # Arithmetic.
    r'(exp2?|log(2|10|1p)?|pow|cbrt|sqrt|sin|cos|floor|ceil|l?l?round|l?l?rint|trunc|fmod|ldexp|frexp|hypot)[fl]?',
    r'__\w+[td]i[234]|__popcountdi2|__(float|fix)\w+',
]
# The project's own symbols: their room is the name after peernet, or base when it is no room's name.
OWN = re.compile(r'_Z(?:T[A-Z]|G[A-Z]\w?)?Z?N?[VKRO]*7peernet(\d+)(\w+)')
# base computes; only its log reaches outside, through a sink that is anybody's code.
BASE_NEVER = ('log', 'set_log_sink')

CRYPTO = [
    r'(?!EVP_RAND|EVP_PKEY_Q_keygen)(EVP|HMAC|SHA\d*|AES|ASN1|X509|BN|OSSL_PARAM|OBJ|ERR|CONF|i2d|d2i)_\w+|SHA256|SHA512|CRYPTO_\w+|'
    r'OPENSSL_\w+|OPENSSL_sk_\w+|BIO_(new|free|free_all|read|read_ex|write|write_ex|ctrl\w*|pending|s_mem|new_mem_buf|up_ref|test_flags|'
    r'set_flags|clear_flags|get_data|set_data|meth_\w+|set_init|get_new_index)|PEM_\w+_bio_\w+|PEM_\w+_bio|XXH\w+|_Z\d*XXH\w+|'
    r'imb_\w+|(init|alloc|free)_mb_mgr\w*|aes_\w+|ipsec_\w+',
]
# Of those, what reads the clock or draws randomness after all.
CRYPTO_NEVER = re.compile(r'RAND_\w+|EVP_PKEY_(CTX_)?\w*(keygen|paramgen)\w*|X509_(gmtime|time)_adj|X509_cmp_current_time|ASN1_TIME_set$')
# libssl draws its own randomness and reads the time: one object only, behind a seam.
HANDSHAKE_OBJECT = 'handshake.cpp.o'
HANDSHAKE = r'(SSL|TLS|RAND)_\w+'


def undefined(archive):
    """{object file: its undefined symbols} of a static library, thin or not."""
    done = subprocess.run(['nm', '-A', '-u', '--format=posix', archive], capture_output=True, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        matched = re.match(r'.*\[(\S+)\]: (\S+) [Uvw]', line)
        if matched:
            found.setdefault(matched.group(1), set()).add(matched.group(2).split('@')[0])
    return found


def short_object(member):
    return member.rsplit('/', 1)[-1]


def own_allowed(room, symbol):
    """None for a symbol that is not ours; else whether the room may use it."""
    matched = OWN.match(symbol)
    if not matched:
        return None
    name = matched.group(2)[:int(matched.group(1))]
    if name in layering.ROOMS:
        return name == room or name in layering.ROOMS[room]
    return name not in BASE_NEVER


def allowed(room, member, symbol):
    own = own_allowed(room, symbol)
    if own is not None:
        return own
    if room == 'crypto' and short_object(member) == HANDSHAKE_OBJECT and re.fullmatch(HANDSHAKE, symbol):
        return True
    if room == 'crypto' and CRYPTO_NEVER.fullmatch(symbol):
        return False
    return any(re.fullmatch(pattern, symbol) for pattern in EVERYWHERE + (CRYPTO if room == 'crypto' else []))


def objects(build_root, room):
    """{library:object: (member, its undefined symbols)} of what the promise covers in a room."""
    found = {}
    for archive in sorted(glob.glob(os.path.join(build_root, 'src', room, '*.a'))):
        library = os.path.basename(archive)
        if library in EXEMPT_LIBRARIES.get(room, ()):
            continue
        for member, symbols in undefined(archive).items():
            found[f'{library}:{short_object(member)}'] = (member, symbols)
    return found


def violations(build_root, room):
    return [f'{label}: {symbol}' for label, (member, symbols) in objects(build_root, room).items()
            for symbol in sorted(symbols) if not allowed(room, member, symbol)]
