"""Configurations that are wrong, and what is said of them."""

CAMERA = '[[camera]]\nname = "door"\nsource = "door.mp4"\n'
SQUARE = "[[0, 0], [1, 0], [1, 1], [0, 1]]"
WITH_ZONE = CAMERA + f'[[camera.zone]]\nname = "yard"\npoints = {SQUARE}\n'
RULE = "[[camera.rule]]\n"
LINE = '[[camera.line]]\nname="gate"\npoints=[[0,0],[1,1]]\n'
HOOK = '[[webhook]]\nurl="http://h"\n'

# What is put behind a good camera (which has 3 lines), or instead of it, and how each line of the error begins.
WRONG = {
    # no TOML
    "": ["1: camera: is missing: write [[camera]] for each"],
    "# only a comment\n": ["1: camera: is missing"],
    "nonsense": ["1: this is no TOML"],
    "\0": ["1: this is no TOML"],
    "[[camera]\nname='a'": ["1: this is no TOML"],
    CAMERA + "width = ": ["4: this is no TOML"],
    CAMERA + "width = 1\nwidth = 2": ["5: this is no TOML: the key is there twice"],
    CAMERA + "[service]\n[service]": ["5: this is no TOML: [service] is there twice"],
    CAMERA + 'model = "auto\n': ["4: this is no TOML"],
    CAMERA + 'model = """auto\n\n\n': ["4: this is no TOML"],
    CAMERA + "zone = [{name='a'},\n\n": ["4: this is no TOML"],
    CAMERA + "model = 'a' linker = 'b'": ["4: this is no TOML"],
    CAMERA + 'model = "C:\\data"': ['4: this is no TOML: a text in "..." with a single \\'],
    CAMERA + 'model = "C:\\films"': ["4: camera[0].model: has a control character"],
    CAMERA + "max_fps = 1.": ["4: this is no TOML"],
    CAMERA + "max_fps = 1,5": ["4: this is no TOML"],
    CAMERA + "loop = True": ["4: this is no TOML"],
    CAMERA + "loop = yes": ["4: this is no TOML"],
    CAMERA + "max_fps = 007": ["4: this is no TOML"],
    CAMERA + "max_fps = null": ["4: this is no TOML"],
    CAMERA + "width = " + "9" * 5000: ["4: this is too long for a number"],
    CAMERA + "settings = " + "[" * 10000: ["4: lists and tables are more than 16 deep"],
    CAMERA + "settings = " + "{a=" * 10000: ["4: lists and tables are more than 16 deep"],
    CAMERA + "a." * 10000 + "a=1": ["4: a key of more than 16 parts"],
    CAMERA + "[" + "a." * 10000 + "a]": ["4: a key of more than 16 parts"],
    "#" * 1_000_001: ["1: more than 1000000 characters"],
    "camera: \n  - name: door\n": ["1: this is no TOML"],
    '{"camera": [{"name": "door"}]}': ["1: this is no TOML"],
    # tables
    "[camera]\nname='a'\nsource='0'": ["1: camera: is a list, not a table: write [[camera]]"],
    "camera = []": ["1: camera: the list is empty"],
    "camera = 'door'": ["1: camera: is a list, not a text"],
    "camera = [1]": ["1: camera[0]: is a table, not 1"],
    CAMERA + "[[service]]\nport=1": ["4: service: is a table, not a list: write [service]"],
    CAMERA + "[webhook]\nurl='http://h'": ["4: webhook: is a list, not a table: write [[webhook]]"],
    CAMERA + "[camera.zone]\nname='z'": ["4: camera[0].zone: is a list, not a table: write [[camera.zone]]"],
    "service = 3\n" + CAMERA: ["1: service: is a table, not 3"],
    "cameras = 3\n" + CAMERA: ["1: cameras: there is no such key; did you mean 'camera'?"],
    "port = 80\n" + CAMERA: ["1: port: is no key of this table, but of [service] or [mqtt]"],
    CAMERA + "[sevrice]\nport=80": ["4: sevrice: there is no such key; did you mean 'service'?"],
    CAMERA + "[output]\n": ["4: output: there is no such key; there are: service, store"],
    CAMERA + "widht = 640": ["4: camera[0].widht: there is no such key; did you mean 'width'?"],
    CAMERA + '"wi\\ndth" = 640': ['4: camera[0]."wi\\ndth": there is no such key'],
    CAMERA + "zonen = []": ["4: camera[0].zonen: there is no such key; did you mean 'zone'?"],
    CAMERA + "zone = []\nzones = []": ["5: camera[0].zones: there is no such key; did you mean 'zone'?"],
    CAMERA + "zones = 3": ["4: camera[0].zone: is a list, not 3"],
    CAMERA + "[camera.zones]\nyard = [[0,0],[1,0]]": ["5: camera[0].zone[0].points: zone 'yard' has 2 corners"],
    CAMERA + "[camera.zones.yard]\nkind = 'exclude'\nx = 1": [
        "4: camera[0].zone[0].points: is missing",
        "6: camera[0].zone[0].x: there is no such key",
    ],
    CAMERA + "[[camera.rules]]\nkind = 'enter'\n[[camera.rules]]\nkind = 'dance'": [
        "7: camera[0].rule[1].kind: there is no such rule"
    ],
    CAMERA + "name.x = 1": ["4: this is no TOML"],
    WITH_ZONE + "width = 5": [
        "7: camera[0].zone[0].width: is no key of this table, but of [[camera]]: write it above [[camera.zone]]"
    ],
    CAMERA + RULE + 'kind="enter"\nwidth=5': [
        "6: camera[0].rule[0].width: is no key of this table, but of [[camera]]: write it above [[camera.rule]]"
    ],
    CAMERA + "token = 'abcdefgh'": ["4: camera[0].token: is no key of this table, but of [service]"],
    # the service
    CAMERA + "[service]\nport = 65536": ["5: service.port: is at most 65535, not 65536"],
    CAMERA + "[service]\nport = -1": ["5: service.port: is at least 0, not -1"],
    CAMERA + "[service]\nport = '80'": ["5: service.port: is an integer, not a text"],
    CAMERA + "[service]\nport = 80.0": ["5: service.port: is an integer, not 80"],
    CAMERA + "[service]\nport = true": ["5: service.port: is an integer, not true"],
    CAMERA + "[service]\nport = 0x" + "f" * 300: ["5: service.port: is at most 65535, not a huge number"],
    CAMERA + "[service]\nport = 2026-11-30": ["5: service.port: is an integer, not a date or time"],
    CAMERA + "[service]\nport = 07:32:00": ["5: service.port: is an integer, not a date or time"],
    CAMERA + "[service]\nport = [1]": ["5: service.port: is an integer, not a list"],
    CAMERA + "[service]\nhost = ''": ["5: service.host: is the name or number of a host"],
    CAMERA + "[service]\nhost = 'http://localhost'": ["5: service.host: is the name or number of a host"],
    CAMERA + "[service]\nhost = '0.0.0.0'": ["5: service.host: others reach 0.0.0.0, so a token is needed"],
    CAMERA + "[service]\ntoken = 'short'": ["5: service.token: is 8 ASCII characters or more"],
    CAMERA + "[service]\ntoken = ''": ["5: service.token: the text is empty"],
    CAMERA + "[service]\ntoken = 12345678": ["5: service.token: is a text, not 1.23457e+07"],
    CAMERA + "[service]\nstate_every = 0": ["5: service.state_every: is at least 1, not 0"],
    CAMERA + "[service]\nstate_every = nan": ["5: service.state_every: is a finite number, not nan"],
    CAMERA + "[service]\nstate_every = inf": ["5: service.state_every: is a finite number, not inf"],
    CAMERA + "[service]\nstate_every = 1e999": ["5: service.state_every: is a finite number, not inf"],
    CAMERA + "[service]\nstate_every = '60 s'": ["5: service.state_every: is a number, not a text"],
    CAMERA + "[service]\nlog_level = 'verbose'": ["5: service.log_level: is one of 'debug', 'info'"],
    CAMERA + "[service]\nstate_dir = ''": ["5: service.state_dir: the text is empty"],
    CAMERA + "[service]\nstate_dir = 3": ["5: service.state_dir: is a text, the name of a file or folder, not 3"],
    CAMERA + '[service]\nstate_dir = "a\\u0000b"': ["5: service.state_dir: has a control character"],
    # store, recordings and sinks
    CAMERA + "[store]\nurl = 'mysql://h/d'": ["5: store.url: is sqlite:FILE or postgresql://"],
    CAMERA + "[store]\nurl = 'sqlite:///e.db'": ["5: store.url: a file is sqlite:FILE, without //"],
    CAMERA + "[store]\nurl = 'sqlite::memory:'": ["5: store.url: a file is sqlite:FILE"],
    CAMERA + "[store]\nkeep_days = 0": ["5: store.keep_days: is above 0, not 0"],
    CAMERA + "[recordings]\npre_roll = 61": ["5: recordings.pre_roll: is at most 60, not 61"],
    CAMERA + "[recordings]\nclips = 1": ["5: recordings.clips: is true or false, not 1"],
    CAMERA + "[recordings]\nkeep_gb = -1e300": ["5: recordings.keep_gb: is above 0, not -1e+300"],
    CAMERA + "[jsonl]\n": ["4: jsonl.path: is missing"],
    CAMERA + "[jsonl]\npath = 'j'\nkeep = 1.5": ["6: jsonl.keep: is an integer, not 1.5"],
    CAMERA + "[mqtt]\nport = 0": ["4: mqtt.host: is missing", "5: mqtt.port: is at least 1, not 0"],
    CAMERA + "[mqtt]\nhost='h'\ntopic='a/#'": ["6: mqtt.topic: is words with / between them"],
    CAMERA + "[mqtt]\nhost='h'\ntopic=''": ["6: mqtt.topic: the text is empty"],
    CAMERA + "[mqtt]\nhost='h'\npassword='p'": ["6: mqtt.password: is of a user"],
    CAMERA + "[mqtt]\nhost='h'\nca_file='p'": ["6: mqtt.ca_file: is for TLS"],
    CAMERA + "[mqtt]\nhost='mqtt://h'": ["5: mqtt.host: is the name or number of a host"],
    CAMERA + "[[webhook]]\nname='a'": ["4: webhook[0].url: is missing"],
    CAMERA + "[[webhook]]\nurl='h/x'": ["5: webhook[0].url: is an address that begins with http:// or https://"],
    CAMERA + "[[webhook]]\nurl='http://'": ["5: webhook[0].url: is an address without a host"],
    CAMERA + HOOK + "phases=[]": ["6: webhook[0].phases: the list is empty"],
    CAMERA + HOOK + "phases=['begin',\n'middle']": ["7: webhook[0].phases[1]: is one of 'begin' or 'end'"],
    CAMERA + HOOK + "phases='begin'": ["6: webhook[0].phases: is a list, not a text"],
    CAMERA + HOOK + "cameras=['dor']": ["6: webhook[0].cameras[0]: there is no camera 'dor'; did you mean 'door'?"],
    CAMERA + HOOK + "rules=['entre']": ["6: webhook[0].rules[0]: there is no rule 'entre'; did you mean 'enter'?"],
    CAMERA + HOOK + HOOK: ["6: webhook[1].name: two webhooks are called 'webhook'"],
    CAMERA + HOOK + "name='mqtt'": ["6: webhook[0].name: 'mqtt' is the name of another sink"],
    CAMERA + HOOK + "timeout=301": ["6: webhook[0].timeout: is at most 300, not 301"],
    # cameras
    "[[camera]]\nname = 'door'": ["1: camera[0].source: is missing"],
    "[[camera]]\n\nsource = '0'": ["1: camera[0].name: is missing"],
    CAMERA + "\n" + CAMERA: ["6: camera[1].name: two cameras are called 'door'"],
    CAMERA.replace("door", "Door"): ["2: camera[0].name: is 1 to 63 of a-z"],
    CAMERA.replace('"door"', '"../door"'): ["2: camera[0].name: is 1 to 63 of a-z"],
    CAMERA.replace('"door"', '"' + "d" * 64 + '"'): ["2: camera[0].name: is 1 to 63 of a-z"],
    CAMERA.replace('"door"', '"door\\n"'): ["2: camera[0].name: is 1 to 63 of a-z"],
    CAMERA.replace('"door"', "5"): ["2: camera[0].name: is a text, not 5"],
    CAMERA.replace("door.mp4", ""): ["3: camera[0].source: the text is empty"],
    CAMERA.replace('"door.mp4"', "-1"): ["3: camera[0].source: is a text, not -1"],
    CAMERA.replace('"door.mp4"', "true"): ["3: camera[0].source: is a text, not true"],
    CAMERA.replace("door.mp4", "ftp://h/x"): ["3: camera[0].source: is an address that begins with rtsp://"],
    CAMERA.replace("door.mp4", "rtsp://"): ["3: camera[0].source: is an address without a host"],
    CAMERA.replace("door.mp4", "rtsp://u:p@"): ["3: camera[0].source: is an address without a host"],
    CAMERA + "width = 8": ["4: camera[0].width: is 16 pixels or more, or 0, not 8"],
    CAMERA + "width = -640": ["4: camera[0].width: is at least 0, not -640"],
    CAMERA + "max_fps = 0": ["4: camera[0].max_fps: is above 0, not 0"],
    CAMERA + "cpu = 0.01": ["4: camera[0].cpu: is at least 0.05, not 0.01"],
    CAMERA + "stall = 0.5": ["4: camera[0].stall: is at least 1, not 0.5"],
    CAMERA + "max_gap = -nan": ["4: camera[0].max_gap: is a finite number, not nan"],
    CAMERA + "model = 'nix'": ["4: camera[0].model: there is no background model 'nix'; there are: adaptive"],
    CAMERA + "model = ''": ["4: camera[0].model: the text is empty"],
    CAMERA + "model = 'no.such.module:Model'": ["4: camera[0].model: there is no class 'Model'"],
    CAMERA + "linker = 'nix'": ["4: camera[0].linker: there is no linker 'nix'; there are: "],
    CAMERA + "settings = 3": ["4: camera[0].settings: is a table, not 3"],
    CAMERA + "[camera.settings]\nhistoyr = 5": ["5: camera[0].settings.histoyr: adaptive has no parameter 'histoyr'"],
    CAMERA + "settings.guard.ghost = true": ['4: camera[0].settings."guard.ghost": guard has no parameter'],
    CAMERA + "settings = {history = -1,\n'linker.max_gap' = 'x'}"[:40]: ["4: this is no TOML"],
    CAMERA + "[camera.settings]\nhistory = -1\nlinker.max_gap = 'x'\nmin_area = 5": [
        "5: camera[0].settings.history: history is",
        '6: camera[0].settings."linker.max_gap": max_gap is a number',
    ],
    CAMERA + "settings = {history = nan}": ["4: camera[0].settings.history: is a finite number"],
    CAMERA + "settings = {history = [1]}": ["4: camera[0].settings.history: is a finite number"],
    CAMERA + "settings = {'guard.ghosts' = true, guard.ghosts = true}": [
        '4: camera[0].settings."guard.ghosts": the setting is given twice'
    ],
    CAMERA + "[camera.settings]\nhistory = 1" + "0" * 350: ["5: camera[0].settings.history: "],
    # zones and lines
    CAMERA + "[[camera.zone]]\nname='z'": ["4: camera[0].zone[0].points: is missing"],
    WITH_ZONE + f"[[camera.zone]]\nname='yard'\npoints={SQUARE}": [
        "8: camera[0].zone[1].name: two zones or lines are called 'yard'"
    ],
    WITH_ZONE + "[[camera.line]]\nname='yard'\npoints=[[0,0],[1,1]]": [
        "8: camera[0].line[0].name: two zones or lines are called 'yard'"
    ],
    CAMERA + "[[camera.zone]]\nname='z'\npoints=[[0,0],[1,1],[1,0],[0,1]]": [
        "6: camera[0].zone[0].points: zone 'z' crosses itself"
    ],
    CAMERA + "[[camera.zone]]\nname='z'\npoints=[[0,0],[2,0],[1,1]]": [
        "6: camera[0].zone[0].points: zone 'z': x of point 1 is in [0, 1], not 2"
    ],
    CAMERA + "[[camera.zone]]\nname='z'\npoints=[\n[0,0],\n[1],\n[1,'a']]": [
        "8: camera[0].zone[0].points[1][1]: is missing",
        "9: camera[0].zone[0].points[2][1]: is a number, not a text",
    ],
    CAMERA + "[[camera.zone]]\nname='z'\npoints=[]": ["6: camera[0].zone[0].points: zone 'z' has 0 corners"],
    CAMERA + "[[camera.zone]]\nname='z'\npoints='0,0 1,1'": ["6: camera[0].zone[0].points: is a list, not a text"],
    CAMERA + "[[camera.zone]]\nname=''\npoints=" + SQUARE: ["5: camera[0].zone[0].name: the text is empty"],
    WITH_ZONE + "kind='inside'": ["7: camera[0].zone[0].kind: is one of 'include', 'exclude' or 'preclusive'"],
    WITH_ZONE + "limit=0": ["7: camera[0].zone[0].limit: is above 0, not 0"],
    WITH_ZONE + "relative=0": ["7: camera[0].zone[0].relative: is true or false, not 0"],
    WITH_ZONE + "relative=false": ["6: camera[0].zone[0].points: zone 'yard' lies within one pixel"],
    CAMERA + "[[camera.line]]\nname='l'\npoints=[[0,0]]": ["6: camera[0].line[0].points: line 'l' has 1 points"],
    CAMERA + LINE + "sides=['a','a']": ["7: camera[0].line[0].sides: are two different names"],
    CAMERA + LINE + "sides=['a']": ["7: camera[0].line[0].sides[1]: is missing"],
    # rules
    CAMERA + RULE: ["4: camera[0].rule[0].kind: is missing"],
    CAMERA + RULE + "kind='lingers'": ["5: camera[0].rule[0].kind: there is no such rule; did you mean 'linger'?"],
    CAMERA + RULE + "kind=5": ["5: camera[0].rule[0].kind: is a text, not 5"],
    CAMERA + RULE + "kind='speed'": ["4: camera[0].rule[0]: the rule 'speed' needs 'above'"],
    CAMERA + RULE + "kind='speed'\nabove=-3\nmin_share=2\nname='fast'": [
        "6: camera[0].rule[0].above: rule 'fast': above is in (0, 1e+09], not -3",
        "7: camera[0].rule[0].min_share: rule 'fast': min_share is in (0, 1], not 2",
    ],
    CAMERA + RULE + "kind='linger'\nseconds=nan": ["6: camera[0].rule[0].seconds: rule 'linger': seconds is in"],
    CAMERA + RULE + "kind='linger'\nseconds='5'": ["6: camera[0].rule[0].seconds: rule 'linger': seconds is a number"],
    CAMERA + RULE + "kind='linger'\nsecond=5": [
        "6: camera[0].rule[0].second: there is no such key; did you mean 'seconds'?"
    ],
    CAMERA + RULE + "kind='linger'\nseconds=2026-01-01": ["6: camera[0].rule[0].seconds: is a number, a text"],
    CAMERA + RULE + "kind='linger'\nseconds=1" + "0" * 350: ["6: camera[0].rule[0].seconds: is a huge number"],
    CAMERA + RULE + "kind='crowd_count'\nat_least=2.5": ["6: camera[0].rule[0].at_least: rule 'crowd_count'"],
    CAMERA + RULE + "kind='enter'\nposition='middle'": ["6: camera[0].rule[0].position: rule 'enter': position is one"],
    CAMERA + RULE + "kind='enter'\nzones=[1]": ["6: camera[0].rule[0].zones: is a list of texts"],
    CAMERA + RULE + "kind='enter'\nzones=['a','a']": ["6: camera[0].rule[0].zones: rule 'enter': zones has a name"],
    CAMERA + RULE + "kind='enter'\nname=''": ["6: camera[0].rule[0].name: the text is empty"],
    CAMERA + RULE + "kind='enter'\n" + RULE + "kind='enter'": [
        "6: camera[0].rule[1].name: two rules are called 'enter': name one"
    ],
    WITH_ZONE + RULE + "kind='enter'\nzones=['yrad']": [
        "9: camera[0].rule[0].zones: rule 'enter': there is no zone 'yrad' that includes, but yard"
    ],
    WITH_ZONE + "kind='exclude'\n" + RULE + "kind='enter'\nzones=['yard']": ["10: camera[0].rule[0].zones: rule"],
    CAMERA + RULE + "kind='cross'": ["4: camera[0].rule[0]: rule 'cross': there is no line to cross"],
    CAMERA + LINE + RULE + "kind='cross'\nlines='gaet'": ["9: camera[0].rule[0].lines: rule 'cross': there is no line"],
    CAMERA + LINE + RULE + "kind='cross'\ndirection='a-b'": ["9: camera[0].rule[0].direction: rule 'cross': direction"],
    # variables
    CAMERA + "model = '${NO_SUCH_VARIABLE}'": ["4: camera[0].model: the environment variable NO_SUCH_VARIABLE is not"],
    CAMERA + "model = '${}'": ["4: camera[0].model: ${NAME} is an environment variable; for ${ itself write $${"],
    CAMERA + "model = '${A B}'": ["4: camera[0].model: ${NAME} is an environment variable"],
    CAMERA + "model = '${A'": ["4: camera[0].model: ${NAME} is an environment variable"],
    # several at once, in the order of the file
    "[service]\nport = 99999\nprot = 1\n[mqtt]\ntls = 1\n" + CAMERA + "width = 1\nrefine = 'no'": [
        "2: service.port: ",
        "3: service.prot: there is no such key; did you mean 'port'?",
        "4: mqtt.host: is missing",
        "5: mqtt.tls: is true or false, not 1",
        "9: camera[0].width: ",
        "10: camera[0].refine: is true or false, not a text",
    ],
}
