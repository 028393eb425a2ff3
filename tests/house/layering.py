"""Who may include whom (DESIGN section 3). `violations(root)` reads the #include lines of src/, include/, tools/ and bench/."""

import os
import re

# room -> rooms it may include; every room may include itself, base, and include/peernet/error.hpp.
ROOMS = {
    'base': set(),
    'wire': set(),
    'crypto': set(),
    'io': set(),
    'content': {'crypto'},
    'transport': {'wire', 'crypto'},
    'swarm': {'content'},
    'storage': {'content'},
    'discovery': {'wire', 'crypto'},
    'tracker': {'wire', 'crypto'},  # the core; its system calls are below SERVER
    'node': {'wire', 'crypto', 'io', 'content', 'transport', 'swarm', 'storage', 'discovery', 'tracker'},
    'cli': set(),
}
PURE_ROOMS = ('base', 'wire', 'crypto', 'content', 'transport', 'swarm', 'discovery', 'tracker')
# Of the tracker only this folder makes system calls; node may hold the core, never this, and the core does not know it.
SERVER = 'tracker/server/'
# The server is a program: besides the core it takes sockets and addresses of io, and words and messages of cli.
SERVER_ROOMS = {'wire', 'crypto', 'io', 'cli'}
# Rooms that may include all of include/peernet/; the others know only its error.hpp.
DOOR_USERS = {'node', 'cli', 'tools', 'bench'}
# A public header of plain values may be implemented in a pure room.
IMPLEMENTED_BELOW = {'peernet/link.hpp': 'content'}
# program of tools/ -> rooms it may include besides the door; a file belongs to the program, or the folder of a program's
# code, whose name it starts with. The load generators speak the protocol as a client does: its messages, not its engine.
TOOLS = {'peernet_tracker': {'tracker', 'cli'}, 'peernet_bench': {'cli', 'wire'}, 'tracker_load': {'cli', 'wire'},
         'bench': {'cli'}, 'peernet': {'cli', 'crypto'}}

# Libraries that stay behind one room, so that another can be put in their place.
LIBRARIES = [
    (r'openssl/.*', {'crypto'}),
    (r'intel-ipsec-mb\.h', {'crypto'}),
    (r'xxhash\.h|xxh3\.h|xxh_x86dispatch\.h', {'crypto'}),
    (r'liburing\.h|liburing/.*|linux/io_uring\.h', {'io'}),
    (r'sqlite3\.h', {'storage'}),
    (r'CLI/.*', {'cli', 'tools'}),
    (r'nlohmann/.*', {'cli', 'tracker', 'tools'}),
    (r'sys/epoll\.h|linux/filter\.h', {'io', 'tracker'}),
    (r'netinet/udp\.h', {'io', 'tracker', 'tools'}),  # tools: load in trains, UDP_SEGMENT
]
# What would let a pure room read a clock, draw randomness, block or reach the kernel. The symbols test is the proof;
# this names the line.
IMPURE_HEADERS = re.compile(r'sys/.*|unistd\.h|fcntl\.h|poll\.h|pthread\.h|time\.h|ctime|signal\.h|csignal|netdb\.h|ifaddrs\.h|'
                            r'net/.*|netinet/.*|arpa/.*|linux/.*|thread|mutex|shared_mutex|condition_variable|future|semaphore|'
                            r'random|filesystem|fstream|iostream')
# The door shows no OS, liburing or OpenSSL types: standard C++ headers only.
DOOR_HEADERS = re.compile(r'[a-z_0-9]+')

INCLUDE = re.compile(r'^\s*#\s*include\s*(<([^>]+)>|"([^"]+)")')


def sources(root, *folders):
    for folder in folders:
        for at, folders_below, files in os.walk(os.path.join(root, folder)):
            folders_below.sort()
            for name in sorted(files):
                if name.endswith(('.cpp', '.hpp', '.h', '.cc')):
                    yield os.path.relpath(os.path.join(at, name), root)


def includes(root, path):
    """(line number, header, is it quoted) of each #include."""
    with open(os.path.join(root, path), encoding='utf-8') as file:
        for number, line in enumerate(file, 1):
            found = INCLUDE.match(line)
            if found:
                yield number, found.group(2) or found.group(3), found.group(3) is not None


def room_of(path):
    parts = path.split('/')
    if parts[0] == 'src':
        return parts[1] if len(parts) > 2 else None
    return parts[0]  # include, tools, bench


def is_server(path):
    return path.removeprefix('src/').startswith(SERVER)


def tool_rooms(path):
    stem = path.removeprefix('tools/').replace('-', '_')
    for program in sorted(TOOLS, key=len, reverse=True):
        if stem.startswith(program):
            return TOOLS[program]
    return set()


def project_include(root, path, header):
    """Why `path` may not include the project header `header`; None when it may."""
    room = room_of(path)
    if header.startswith('peernet/'):
        if room in DOOR_USERS or room == 'include' or header == 'peernet/error.hpp' or IMPLEMENTED_BELOW.get(header) == room:
            return None
        return f'{room} may include only peernet/error.hpp of the public headers'
    if room == 'include':
        return 'a public header may include only public headers'
    if not os.path.exists(os.path.join(root, 'src', header)):
        beside = os.path.join(root, os.path.dirname(path), header)
        if room in ('tools', 'bench') and os.path.exists(beside):
            return None
        return 'no such file under src/ (project headers are included as "room/file.hpp")'
    target = header.split('/')[0]
    if room == 'bench' or target in (room, 'base'):
        if room == target == 'tracker' and is_server(header) and not is_server(path):
            return 'the tracker core may not know its server'
        return None
    if room == 'node' and target == 'tracker' and is_server(header):
        return 'node may hold the tracker core, never its server'
    allowed = tool_rooms(path) if room == 'tools' else SERVER_ROOMS if is_server(path) else ROOMS[room]
    return None if target in allowed else f'{room} may not include {target}'


def library_include(path, header):
    room = room_of(path)
    if room == 'include':
        return None if DOOR_HEADERS.fullmatch(header) else 'a public header may include only standard C++ headers'
    if room == 'bench':
        return None
    for pattern, rooms in LIBRARIES:
        if re.fullmatch(pattern, header):
            return None if room in rooms else f'this library belongs to {" and ".join(sorted(rooms))}'
    if room in PURE_ROOMS and not is_server(path) and IMPURE_HEADERS.fullmatch(header):
        return f'{room} is pure: time, randomness and the kernel come in as arguments'
    return None


def violations(root, room=None):
    """Every forbidden #include as `path:line: header: why`; of one room (or include, tools, bench) when given."""
    found = []
    for path in sources(root, 'src', 'include', 'tools', 'bench'):
        here = room_of(path)
        if room is not None and here != room:
            continue
        if path.startswith('src/') and here not in ROOMS:
            found.append(f'{path}: is in no room of the table')
            continue
        for number, header, quoted in includes(root, path):
            inside = quoted or header.startswith('peernet/')
            why = project_include(root, path, header) if inside else library_include(path, header)
            if why:
                found.append(f'{path}:{number}: {header}: {why}')
    return found
