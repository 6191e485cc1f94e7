"""Sentences of the Recommendations of VoiceXML 2.0 and 2.1, each with a document of its own; mostly §2, §5 and §6."""
# ruff: noqa: E501, E731  # documents stand in lines of their own

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from tests.unit.ivr.vxml.documents import BASE, vxml, words

from sipcc.ivr.vxml import Simulation, simulate
from sipcc.ivr.vxml.platform import HungUp, Pressed, Said

AB = words("a", "b")
CASES: list[Any] = []


def eq(
    sentence: str,
    body: str,
    deeds: Sequence[Any],
    wanted: object,
    attrs: str = "",
    more: Mapping[str, str] | None = None,
    get: Callable[[Simulation], object] = lambda s: s.exit.value if s.exit is not None else None,
    **options: Any,
) -> None:
    """Keep a case: what `get` finds when a document with `body` has been run with `deeds`."""
    CASES.append(pytest.param(body, deeds, wanted, attrs, more or {}, get, options, id=sentence))


# fmt: off
eq("var self", "<form><var name='x' expr='1'/><block><var name='x' expr='x+1'/><exit expr='[x,dialog.x]'/></block></form>", [], [2,1])
eq("dup var assigns", "<form><block><var name='x' expr='1'/><var name='x' expr='x+1'/><exit expr='x'/></block></form>", [], 2)
eq("dup var noexpr keeps", "<form><block><var name='x' expr='1'/><var name='x'/><exit expr='x'/></block></form>", [], 1)
eq("script anon", "<form><block><script>var q=3</script><exit expr='q'/></block></form>", [], 3)
eq("if chain", "<form><block><if cond='false'><exit expr='1'/><elseif cond='false'/><exit expr='2'/><elseif cond='true'/><exit expr='3'/><else/><exit expr='4'/></if></block></form>", [], 3)
eq("if else", "<form><block><if cond='false'><exit expr='1'/><elseif cond='false'/><exit expr='2'/><else/><exit expr='4'/></if></block></form>", [], 4)
eq("reprompt in filled no effect", f"<form><field name='f'><prompt>F</prompt>{AB}<filled><reprompt/></filled></field><field name='g'><prompt>G</prompt>{AB}</field></form>", ["a", "b"], ["F", "G"], get=lambda s: s.prompts)
eq("catch quiet other item", f"<form><catch event='e'>C</catch><field name='f'><prompt>F</prompt>{AB}<filled><throw event='e'/></filled></field><field name='g'><prompt>G</prompt>{AB}</field></form>", ["a", "b"], ["F", "C"], get=lambda s: s.prompts[:2]+s.prompts[3:])
eq("catch then block then field", f"<form><catch event='e'>C</catch><field name='f'><prompt>F</prompt>{AB}<filled><throw event='e'/></filled></field><block>B</block><field name='g'><prompt>G</prompt>{AB}</field></form>", ["a", "b"], ["F", "C", "B", "G"], get=lambda s: s.prompts)
eq("submit default namelist", f"<form><var name='v' expr='1'/><block name='b'/><field name='f'>{AB}</field><field name='g' cond='false'>{AB}</field><block><submit next='r.vxml'/></block></form>", ["a"], ["f", "g"], more={"r.vxml":vxml("<form/>")}, get=lambda s: [k for k,_ in s.requests[-1].query])
eq("submit undefined value", "<form><var name='v'/><block><submit next='r.vxml' namelist='v'/></block></form>", [], [("v", "undefined")], more={"r.vxml":vxml("<form/>")}, get=lambda s: list(s.requests[-1].query))
eq("submit dotted", "<form><var name='v' expr='7'/><block><submit next='r.vxml' namelist='dialog.v'/></block></form>", [], [("dialog.v", "7")], more={"r.vxml":vxml("<form/>")}, get=lambda s: list(s.requests[-1].query))
eq("submit expr", "<form><var name='v' expr=\"'r.vxml'\"/><block><submit expr='v' method='post' namelist='v'/></block></form>", [], ("POST", [("v", "r.vxml")]), more={"r.vxml":vxml("<form/>")}, get=lambda s: (s.requests[-1].method,list(s.requests[-1].form)))
eq("goto filled item", f"<form><field name='f'>{AB}<filled><if cond=\"f=='a'\"><goto nextitem='f'/></if></filled></field><block><exit expr='f'/></block></form>", ["a", "b"], "b")
# n-best
two = lambda: Said(text="a",confidence=0.9, alternatives=(("b", 0.7),))
eq("nbest", f"<property name='maxnbest' value='3'/><form><field name='f'>{AB}<filled><exit expr=\"application.lastresult$.length+application.lastresult$[1].utterance+application.lastresult$[1].confidence+application.lastresult$[1].interpretation+application.lastresult$[1].inputmode\"/></filled></field></form>", [two()], "2b0.7bvoice")
eq("nbest1", f"<form><field name='f'>{AB}<filled><exit expr=\"application.lastresult$.length\"/></filled></field></form>", [two()], 1)
eq("second alt matches", f"<property name='maxnbest' value='3'/><form><field name='f'>{words('b')}<filled><exit expr=\"f+application.lastresult$.length+f$.confidence\"/></filled></field></form>", [two()], "b10.7")
eq("confidence", f"<property name='confidencelevel' value='0.8'/><form><field name='f'>{AB}<nomatch><exit expr='1'/></nomatch></field></form>", [Said(text="a",confidence=.79)], 1)
eq("confidence eq", f"<property name='confidencelevel' value='0.8'/><form><field name='f'>{AB}<filled><exit expr='f$.confidence'/></filled></field></form>", [Said(text="a",confidence=.8)], .8)
eq("nbest field grammar then doc link", f"<property name='maxnbest' value='2'/><link event='e'>{words('b')}</link><catch event='e'><exit expr='1'/></catch><form><field name='f'>{words('a')}<filled><exit expr='f'/></filled></field></form>", [two()], "a")
# inputmodes
D = "<grammar mode='dtmf' version='1.0' root='r'><rule id='r'>1</rule></grammar>"
eq("inputmodes voice ignores keys", f"<form><property name='inputmodes' value='voice'/><field name='f'>{AB}{D}<noinput><exit expr='1'/></noinput><nomatch><exit expr='2'/></nomatch></field></form>", ["keys 1"], 1)
eq("inputmodes dtmf", f"<form><property name='inputmodes' value='dtmf'/><field name='f'>{AB}{D}<filled><exit expr='f+f$.inputmode'/></filled></field></form>", ["keys 1"], "1dtmf")
eq("termchar empty", "<form><property name='termchar' value=''/><field name='f' type='digits'><filled><exit expr='f'/></filled></field></form>", ["keys 12"], "12")
eq("termchar star", "<form><property name='termchar' value='*'/><field name='f' type='digits'><filled><exit expr='f'/></filled></field></form>", ["keys 12*"], "12")
eq("interdigit nomatch", "<form><property name='interdigittimeout' value='1s'/><field name='f' type='digits?length=4'><nomatch><exit expr='1'/></nomatch></field></form>", ["keys 12"], 1)
# errors
eq("http500", "<form><catch event='error.badfetch.http'><exit expr='_event'/></catch><block><goto next='x.vxml'/></block></form>", [], "error.badfetch.http.404")
eq("doc init error goto", "<catch event='error.semantic'><goto next='#q'/></catch><var name='x' expr='nope'/><form id='p'><block><exit expr='1'/></block></form><form id='q'><block><exit expr='2'/></block></form>", [], 2)
eq("multi-event catch", "<form><catch event='error.badfetch error.semantic'><exit expr='_event'/></catch><block><value expr='nope'/></block></form>", [], "error.semantic")
eq("xml:base", "<form><block><goto next='x.vxml'/></block></form>", [], 3, attrs="xml:base='http://vxml.example.com/sub/'", more={"sub/x.vxml":vxml("<form><block><exit expr='3'/></block></form>")})
eq("exit ns", "<form><block><var name='a' expr='1'/><var name='b' expr=\"'z'\"/><exit namelist='a b'/></block></form>", [], {"a":1,"b":"z"}, get=lambda s: s.exit.values)
eq("after exit nothing", "<form><block><exit/><log>no</log></block></form>", [], [], get=lambda s: s.logs)
eq("disconnect stops", "<form><catch event='connection.disconnect.hangup'><log>c</log></catch><block><disconnect/><log>no</log></block><block><log>b</log></block></form>", [], ["c", "b"], get=lambda s: s.logs)
# catch scope: link event thrown handled by field catch
eq("link event at field", f"<link event='e'>{words('p')}</link><catch event='e'><exit expr='1'/></catch><form><catch event='e'><exit expr='2'/></catch><field name='f'>{AB}<catch event='e'><exit expr='3'/></catch></field></form>", ["p"], 3)
eq("link base item counter", f"<link event='help'>{words('p')}</link><form><field name='f'>{AB}<help><reprompt/></help><help count='2'><exit expr='2'/></help></field></form>", ["p", "p"], 2)
# initial
FG = '<grammar mode="voice" root="r" version="1.0" xml:lang="en" tag-format="semantics/1.0"><rule id="r"><one-of><item>one <tag>out.f="1"</tag></item><item>two <tag>out.g="2"</tag></item><item>both<tag>out.f="1";out.g="2"</tag></item></one-of></rule></grammar>'
eq("initial expr skip", f"<form>{FG}<initial name='i' expr='true'><prompt>I</prompt></initial><field name='f'><prompt>F</prompt></field></form>", ["one"], ["F"], get=lambda s: s.prompts)
eq("two initial", f"<form>{FG}<initial name='i'><prompt>I</prompt></initial><initial name='j'><prompt>J</prompt></initial><field name='f'><prompt>F</prompt></field><block><exit expr='i+j'/></block></form>", ["one"], 2)
eq("mixed fill order", f"<form>{FG}<initial/><field name='f'><filled><log>f</log></filled></field><field name='g'><filled><log>g</log></filled></field><filled><log>all</log></filled></form>", ["both"], ["f", "g", "all"], get=lambda s: s.logs)
eq("refill overwritten", f"<form>{FG}<field name='f'/><field name='g'/><filled namelist='f g'><exit expr='f+g'/></filled></form>", ["one", "two"], "12")
# modal field excludes form grammar
eq("modal excl", f"<form>{FG}<field name='f' modal='true'>{AB}<nomatch><exit expr='1'/></nomatch></field></form>", ["one"], 1)
# menu counters
eq("menu taper", "<menu><prompt>1</prompt><prompt count='2'>2</prompt><choice event='e'>x</choice><noinput><reprompt/></noinput></menu>", ["silence", "silence"], ["1", "2", "2"], get=lambda s: s.prompts[:3])
eq("menu noinput count", "<menu><choice event='e'>x</choice><noinput count='2'><exit expr='5'/></noinput></menu>", ["silence", "silence"], 5)
eq("menu enumerate", "<menu dtmf='true'><prompt><enumerate>For <value expr='_prompt'/> press <value expr='_dtmf'/>.</enumerate></prompt><choice event='e'>x</choice><choice event='f'>y</choice></menu>", ["silence"], "For x press 1. For y press 2.", get=lambda s: s.prompts[0])
eq("field enumerate", "<form><field name='f'><prompt><enumerate/></prompt><option dtmf='1'>x</option><option>y</option></field></form>", ["silence"], "x; y;", get=lambda s: s.prompts[0])
eq("subdialog expr defined skip", "<form><subdialog name='s' src='#b' expr='1'/><block><exit expr='s'/></block></form><form id='b'><block><return/></block></form>", [], 1)
eq("subdialog namelist undecl", "<form><catch event='error.semantic'><exit expr='1'/></catch><subdialog name='s' src='b.vxml' namelist='zz'/></form>", [], 1)
eq("param undeclared", "<form><catch event='error.semantic'><exit expr='1'/></catch><subdialog name='s' src='#b'><param name='zz' expr='1'/></subdialog></form><form id='b'><block><return/></block></form>", [], 1)
eq("param eval err", "<form><catch event='error.semantic'><exit expr='1'/></catch><subdialog name='s' src='#b'><param name='zz' expr='nope'/></subdialog></form><form id='b'><var name='zz'/><block><return/></block></form>", [], 1)
eq("subdialog 404", "<form><catch event='error.badfetch'><exit expr='_event'/></catch><subdialog name='s' src='nope.vxml'/></form>", [], "error.badfetch.http.404")
eq("sub frag missing", "<form><catch event='error.badfetch'><exit expr='_event'/></catch><subdialog name='s' src='#nope'/></form>", [], "error.badfetch")
eq("return event not in list", "<form><catch><exit expr='_event'/></catch><subdialog name='s' src='#b'/></form><form id='b'><block><return eventexpr=\"'x.'+1\"/></block></form>", [], "x.1")
eq("return undeclared", "<form><subdialog name='s' src='#b'/></form><form id='b'><catch event='error.semantic'><exit expr='4'/></catch><block><return namelist='zz'/></block></form>", [], 4)
eq("subdialog catch hangup in sub", f"<form><catch event='connection'><exit expr='1'/></catch><subdialog name='s' src='#b'/></form><form id='b'><catch event='connection.disconnect.hangup'><exit expr='2'/></catch><field name='f'>{AB}</field></form>", ["hangup"], 2)
eq("subdialog disconnect returns", f"<form><catch event='connection'><exit expr='1'/></catch><subdialog name='s' src='#b'><filled><exit expr='s.z'/></filled></subdialog></form><form id='b'><var name='z' expr='9'/><catch event='connection.disconnect.hangup'><return namelist='z'/></catch><field name='f'>{AB}</field></form>", ["hangup"], 9)
# script src
eq("script src charset", "<script src='a.js'/><form><block><exit expr='z'/></block></form>", [], 4, more={"a.js":"var z=4"})
# lastresult root init
eq("lastresult in root kept across docs", f"<form><field name='f'>{AB}</field><block><goto next='l2.vxml'/></block></form>", ["a"], "a", attrs="application='root.vxml'", more={"root.vxml":vxml(""),"l2.vxml":vxml("<form><block><exit expr='application.lastresult$.utterance'/></block></form>", "application='root.vxml'")})
eq("name$ not on nomatch", f"<form><field name='f'>{AB}<nomatch><exit expr='typeof f$'/></nomatch></field></form>", ["zz"], "undefined")
eq("catch after throw in form filled, item index", f"<form><field name='f'>{AB}</field><filled><throw event='e' message='m'/></filled><catch event='e'><exit expr='_message+f'/></catch></form>", ["a"], "ma")
eq("throw nested prefix default", "<form><block><throw event='cancel'/></block><block><exit expr='3'/></block></form>", [], 3)
eq("default cancel no audio", "<form><block><throw event='cancel'/></block><block><exit expr='3'/></block></form>", [], [], get=lambda s: s.prompts)
eq("default telephone", "<form><block><throw event='telephone.foo'/></block><block><exit expr='3'/></block></form>", [], "error", get=lambda s: s.exit.reason)
eq("default user event", "<form><block><throw event='my.foo'/></block><block><exit expr='3'/></block></form>", [], "error", get=lambda s: s.exit.reason)
eq("default help prefix", "<form><block><throw event='help.me'/></block><block><exit expr='3'/></block></form>", [], 3)
# object
eq("object", "<form><object name='o' classid='builtin://x'/><catch event='error.unsupported.objectname'><exit expr='1'/></catch></form>", [], 1)
# catch w cond using counters & document order across equal counts
eq("cond in root not leaf", "<catch event='e' cond='typeof y != \"undefined\"'><exit expr='1'/></catch><catch event='e'><exit expr='2'/></catch><form><var name='y' expr='1'/><block><throw event='e'/></block></form>", [], 1)
# grammar builtins
eq("builtin grammar", "<form><field name='f'><grammar src='builtin:grammar/boolean'/><filled><exit expr='f'/></filled></field></form>", ["yes"], True)
eq("builtin dtmf", "<form><field name='f'><grammar src='builtin:dtmf/digits?length=2'/><filled><exit expr='f'/></filled></field></form>", ["keys 12"], "12")
eq("inline abnf", "<form><field name='f'><grammar type='application/srgs'>#ABNF 1.0; language en; root $r; public $r = yes | no;</grammar><filled><exit expr='f'/></filled></field></form>", ["no"], "no")
eq("grammar jsgf unsupported", "<form><catch event='error.unsupported.format'><exit expr='1'/></catch><field name='f'><grammar src='x.gram' type='application/x-jsgf'/></field></form>", ["silence"], 1, more={"x.gram":"#JSGF V1.0;"})
eq("grammar unparsable ext", "<form><catch event='error'><exit expr='_event'/></catch><field name='f'><grammar src='x.gram'/></field></form>", ["silence"], "error.badfetch", more={"x.gram":"nonsense"})
eq("field no input hotword", f"<form><field name='f'><prompt bargeintype='hotword'>Long long prompt here so many words to say</prompt>{AB}<filled><exit expr='f'/></filled></field></form>", [Said(text="zz",after=.5),"a"], "a")
# -- scopes, subdialogs, counters ---------------------------------------------------------------------------
eq("implicit global", "<form><script>y=5</script><block><assign name='y' expr='y+1'/><exit expr='y'/></block></form>", [], 6)
eq("application.new by script", "<form><block><script>application.nv = 5</script><goto next='b.vxml'/></block></form>", [], 5, attrs="application='root.vxml'", more={"root.vxml":vxml(""),"b.vxml":vxml("<form><block><exit expr='nv'/></block></form>", "application='root.vxml'")})
eq("assign application.new", "<form><catch event='error.semantic'><exit expr='1'/></catch><block><assign name='application.nv' expr='5'/></block></form>", [], 1, attrs="application='root.vxml'", more={"root.vxml":vxml("")})
eq("field shadows doc var", f"<var name='f' expr='3'/><form><field name='f'>{AB}<filled><exit expr='[f,document.f,dialog.f]'/></filled></field></form>", ["a"], ["a",3,"a"])
eq("func closure doc", "<var name='x' expr='1'/><script>function g(){return x}</script><form><var name='x' expr='2'/><block><exit expr='g()'/></block></form>", [], 1)
eq("catch var local", "<form><catch event='e'><var name='q' expr='1'/></catch><block><throw event='e'/></block><block><exit expr='typeof q'/></block></form>", [], "undefined")
eq("cond var in prompt", "<form><var name='n' expr='1'/><block><prompt cond='n==1'>A</prompt><prompt cond='n==2'>B</prompt><exit/></block></form>", [], ["A"], get=lambda s: s.prompts)
eq("nested sub", "<form><subdialog name='s' src='#b'><filled><exit expr='s.v'/></filled></subdialog></form><form id='b'><subdialog name='t' src='#c'><filled><var name='v' expr='t.w+1'/><return namelist='v'/></filled></subdialog></form><form id='c'><var name='w' expr='1'/><block><return namelist='w'/></block></form>", [], 2)
eq("return object", "<form><subdialog name='s' src='#b'><filled><exit expr='s.o.p.q'/></filled></subdialog></form><form id='b'><var name='o' expr='({p:{q:7}})'/><block><return namelist='o'/></block></form>", [], 7)
eq("param object", "<form><var name='o' expr='({p:7})'/><subdialog name='s' src='#b'><param name='o' expr='o'/><filled><exit expr='s.r'/></filled></subdialog></form><form id='b'><var name='o'/><var name='r' expr='o.p'/><block><return namelist='r'/></block></form>", [], 7)
eq("sub goes to goto form, params only first", "<form><subdialog name='s' src='#b'><param name='o' expr='5'/><filled><exit expr='s.z'/></filled></subdialog></form><form id='b'><var name='o'/><block><goto next='#c'/></block></form><form id='c'><var name='z' expr='8'/><block><return namelist='z'/></block></form>", [], 8)
eq("sub root application same variables isolated", "<form><block><assign name='application.x' expr='9'/></block><subdialog name='s' src='b.vxml'><filled><exit expr='[s.x, x]'/></filled></subdialog></form>", [], [1,9], attrs="application='root.vxml'", more={"root.vxml":vxml("<var name='x' expr='1'/>"),"b.vxml":vxml("<form><block><return namelist='x'/></block></form>", "application='root.vxml'")})
eq("sub event uncaught in sub -> default there", "<form><catch event='e'><exit expr='1'/></catch><subdialog name='s' src='#b'/></form><form id='b'><block><throw event='e'/></block></form>", [], ("error", "e"), get=lambda s: (s.exit.reason,s.exit.event))
eq("sub same doc catches apply", "<catch event='e'><return event='z'/></catch><form><catch event='z'><exit expr='1'/></catch><subdialog name='s' src='#b'/></form><form id='b'><block><throw event='e'/></block></form>", [], 1)
eq("sub w/ fragment-only default first dialog", "<form><subdialog name='s' src='b.vxml'><filled><exit expr='2'/></filled></subdialog></form>", [], 2, more={"b.vxml":vxml("<form><block><return/></block></form>")})
eq("sub filled evaluated w/ cond on others", "<form><field name='x' cond='false'/><subdialog name='s' src='#b'/><filled mode='any'><exit expr='2'/></filled></form><form id='b'><block><return/></block></form>", [], 2)
eq("hangup in subdialog uncaught", f"<form><catch event='connection.disconnect'><exit expr='3'/></catch><subdialog name='s' src='#b'/></form><form id='b'><field name='f'>{AB}</field></form>", ["hangup"], "hangup", get=lambda s: s.exit.reason)
eq("after hangup a field exits", f"<form><catch event='connection.disconnect.hangup'><goto next='#b'/></catch><field name='f'>{AB}</field></form><form id='b'><block><log>x</log></block><field name='f'>{AB}</field><block><log>y</log></block></form>", ["hangup"], (["x"], "hangup"), get=lambda s: (s.logs,s.exit.reason))
eq("prompt then exit heard", "<form><block>bye<exit/></block></form>", [], ["bye"], get=lambda s: s.prompts)
eq("prompts in order across", "<form><block>one</block><block><prompt>two</prompt></block><field name='f'><prompt>three</prompt>"+AB+"</field></form>", ["a"], ["one", "two", "three"], get=lambda s: s.prompts)
# counters
eq("count gaps", f"<form><field name='f'>{AB}<noinput count='1'>1<reprompt/></noinput><noinput count='3'><exit expr='3'/></noinput></field></form>", ["silence"]*3,3)
eq("count reset on reentry", f"<form id='a'><field name='f'>{AB}<noinput count='2'><exit expr='2'/></noinput><noinput/><nomatch><goto next='#a'/></nomatch></field></form>", ["silence", "z", "silence", "silence"], 2)
eq("count not reset nextitem", f"<form id='a'><field name='f'>{AB}<noinput count='2'><exit expr='2'/></noinput><noinput><goto nextitem='g'/></noinput></field><block name='g'><goto nextitem='f'/></block></form>", ["silence", "silence"], 2)
eq("form filled counter", f"<form><var name='n' expr='0'/><catch event='e' count='2'><exit expr=\"'two'\"/></catch><catch event='e'><clear namelist='f'/></catch><field name='f'>{AB}</field><filled><throw event='e'/></filled></form>", ["a", "a"], "two")
eq("catch all counts for any", f"<form><field name='f'>{AB}<catch count='2'><exit expr='_event'/></catch></field></form>", ["silence", "zz"], "nomatch")
# multi root
eq("root catch before default", "<form><block><throw event='e'/></block></form>", [], "R", attrs="application='root.vxml'", more={"root.vxml":vxml("<catch event='e'><exit expr=\"'R'\"/></catch>")})
eq("root doc own form scope doc grammar", "<form><field name='f'>"+AB+"</field></form>", ["go", "a"], "rf", attrs="application='root.vxml'", more={"root.vxml":vxml(f"<form id='r' scope='document'>{words('go')}<field name='x'>{AB}</field><block><exit expr=\"'rf'\"/></block></form>")})
eq("root link", "<form><field name='f'>"+AB+"</field></form>", ["op"], "L", attrs="application='root.vxml'", more={"root.vxml":vxml(f"<link next='l.vxml'>{words('op')}</link>"),"l.vxml":vxml("<form><block><exit expr=\"'L'\"/></block></form>", "application='root.vxml'")})
eq("root script func", "<form><block><exit expr='ff()'/></block></form>", [], 6, attrs="application='root.vxml'", more={"root.vxml":vxml("<script>function ff(){return 6}</script>")})
eq("leaf to other root", "<form><block><goto next='b.vxml'/></block></form>", [], ["undefined",2], attrs="application='root.vxml'", more={"root.vxml":vxml("<var name='x' expr='1'/>"),"root2.vxml":vxml("<var name='y' expr='2'/>"),"b.vxml":vxml("<form><block><exit expr='[typeof x,y]'/></block></form>", "application='root2.vxml'")})
eq("lastresult undefined on root load", f"<form><field name='f'>{AB}</field><block><goto next='b.vxml'/></block></form>", ["a"], "undefined", attrs="application='root.vxml'", more={"root.vxml":vxml(""),"root2.vxml":vxml(""),"b.vxml":vxml("<form><block><exit expr='typeof application.lastresult$'/></block></form>", "application='root2.vxml'")})
# throw/catch message types
eq("messageexpr obj", "<form><catch event='e'><exit expr='_message'/></catch><block><throw eventexpr=\"'e'\" messageexpr=\"'a'+'b'\"/></block></form>", [], "ab")
eq("event attr spaces", "<form><catch event='  e   f '><exit expr='_event'/></catch><block><throw event='f'/></block></form>", [], "f")
# exit expr of undefined
eq("exit expr field", f"<form><field name='f'>{AB}<filled><exit expr='f'/></filled></field></form>", ["b"], "b")
# link & choice with messageexpr
eq("link messageexpr", f"<link event='e' messageexpr=\"'m'+1\">{words('p')}</link><catch event='e'><exit expr='_message'/></catch><form><field name='f'>{AB}</field></form>", ["p"], "m1")
eq("link eventexpr", f"<link eventexpr=\"'e'+1\">{words('p')}</link><catch event='e1'><exit expr='_event'/></catch><form><field name='f'>{AB}</field></form>", ["p"], "e1")
# cond false catch -> outer
eq("cond catch uses _event", "<form><catch event='e' cond=\"_event=='x'\"><exit expr='1'/></catch><catch event='e'><exit expr='2'/></catch><block><throw event='e'/></block></form>", [], 2)
# option order/dtmf + menu
eq("option dtmf multi", "<form><field name='f'><option dtmf='1 2' value='x'>a</option><option dtmf='1' value='y'>b</option><filled><exit expr='f'/></filled></field></form>", ["keys 12"], "x")
eq("field w/ type and option", "<form><field name='f' type='boolean'><option dtmf='7' value='seven'>maybe</option><filled><exit expr='f'/></filled></field></form>", ["maybe"], "seven")
eq("boolean dtmf", "<form><field name='f' type='boolean?y=7;n=9'><filled><exit expr='f'/></filled></field></form>", ["keys 9"], False)
# field-level cond error
eq("throw in catch loops up?", "<form><catch event='e'><throw event='e.x'/></catch><catch event='e.x'><exit expr='1'/></catch><block><throw event='e'/></block></form>", [], "limit", get=lambda s: s.exit.reason)
eq("goto nextitem from form-level catch", "<form><catch event='e'><goto nextitem='z'/></catch><block><throw event='e'/></block><block name='y'><exit expr='1'/></block><block name='z'><exit expr='2'/></block></form>", [], 2)
eq("menu goto nextitem bad", "<menu><catch event='error.badfetch'><exit expr='1'/></catch><choice event='e'>x</choice><noinput><goto nextitem='q'/></noinput></menu>", ["silence"], 1)
eq("doc-level goto #", "<form id='a'><block><goto next='start.vxml#b'/></block></form><form id='b'><block><exit expr='4'/></block></form>", [], 4)
eq("goto whitespace url", "<form id='a'><block><goto next=' #b '/></block></form><form id='b'><block><exit expr='4'/></block></form>", [], 4)
eq("goto missing default dialog", "<form><block><goto next='b.vxml'/></block></form>", [], "done", more={"b.vxml":vxml("<var name='x'/>")}, get=lambda s: s.exit.reason)
# record basic
eq("record maxtime", "<form><record name='r' maxtime='2s' finalsilence='9s'><filled><exit expr='[r$.maxtime,r$.duration]'/></filled></record></form>", [Said(text="hello",seconds=5)], [True,2000])
eq("throw error default reason", "<form><block><throw event='error.semantic'/></block></form>", [], "error", get=lambda s: s.exit.reason)
eq("exit event default", "<form><block><throw event='exit'/></block></form>", [], "exit", get=lambda s: s.exit.reason)
eq("foreach nested scope", "<form><block><foreach item='i' array='[[1,2], [3]]'><foreach item='j' array='i'><log expr='j'/></foreach></foreach></block></form>", [], ["1", "2", "3"], get=lambda s: s.logs)
eq("maxspeechtimeout", f"<form><property name='maxspeechtimeout' value='2s'/><field name='f'>{AB}<catch event='maxspeechtimeout'><exit expr='_event'/></catch></field></form>", [Said(text="a",seconds=5)], "maxspeechtimeout")
eq("help in field w/ universals", f"<property name='universals' value='all'/><form><field name='f'><prompt>Q</prompt>{AB}<help>H</help></field></form>", ["help", "a"], ["Q", "H"], get=lambda s: s.prompts)
eq("universals cancel default", f"<property name='universals' value='cancel'/><form><field name='f'><prompt>Q</prompt>{AB}</field></form>", ["cancel", "a"], ["Q"], get=lambda s: s.prompts)
eq("grammar in script expr change", "<form><var name='g' expr=\"'a.grxml'\"/><field name='f'><grammar srcexpr='g'/><nomatch><assign name='g' expr=\"'b.grxml'\"/></nomatch><filled><exit expr='f'/></filled></field></form>", ["bb", "bb"], "bb", more={k+".grxml":'<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" root="r" xml:lang="en"><rule id="r">'+k*2+'</rule></grammar>' for k in "ab"})
eq("form w only document-scoped other grammar", f"<form id='a'><field name='f'>{words('x')}<nomatch><exit expr='1'/></nomatch></field></form><form id='b'>{words('y',scope='document')}<field name='q'>{AB}</field><block><exit expr='2'/></block></form>", ["y", "a"], 2)
eq("grammar scope dialog overrides form document", f"<form id='a'><field name='f'>{words('x')}<nomatch><exit expr='1'/></nomatch></field></form><form id='b' scope='document'>{words('y',scope='dialog')}<field name='q'>{AB}</field><block><exit expr='2'/></block></form>", ["y"], 1)
# -- calls, properties, times --------------------------------------------------------------------------------
# record/transfer interplay
ST = words("stop it")
eq("transfer near_end then filled", f"<form><transfer name='t' type='bridge' dest='tel:1'>{ST}<filled><exit expr='t+t$.utterance+t$.inputmode'/></filled></transfer></form>", ["stop it"], "near_end_disconnectstop itvoice")
eq("transfer dtmf", "<form><transfer name='t' type='bridge' dest='tel:1'><grammar mode='dtmf' version='1.0' root='r'><rule id='r'>9</rule></grammar><filled><exit expr='t+t$.utterance+t$.inputmode'/></filled></transfer></form>", ["keys 9"], "near_end_disconnect9dtmf")
eq("transfer baddest", "<form><transfer name='t' type='bridge' dest='nonsense'/><catch event='error'><exit expr='_event'/></catch></form>", [], "error.connection.baddestination")
eq("transfer scheme", "<form><transfer name='t' type='bridge' dest='foo:1'/><catch event='error'><exit expr='_event'/></catch></form>", [], "error.unsupported.uri")
eq("transfer maxtime", "<form><transfer name='t' type='bridge' maxtime='10s' dest='tel:1'><filled><exit expr='[t,t$.duration]'/></filled></transfer></form>", ["transfer maxtime_disconnect"], ["maxtime_disconnect",10])
eq("transfer catch connection", "<form><transfer name='t' type='blind' dest='tel:1'/><catch event='connection.disconnect.transfer'><exit expr='_event'/></catch></form>", ["transfer connected"], "connection.disconnect.transfer")
eq("transfer default bridge false", "<form><transfer name='t' dest='tel:1'/><catch event='connection.disconnect.transfer'><exit expr='_event'/></catch></form>", ["transfer connected"], "connection.disconnect.transfer")
eq("transfer hangup bridging", "<form><transfer name='t' bridge='true' dest='tel:1'/><catch event='connection.disconnect.hangup'><exit expr='typeof t'/></catch></form>", ["hangup"], "undefined")
eq("transfer far end", "<form><transfer name='t' bridge='true' dest='tel:1'><filled><exit expr='t'/></filled></transfer></form>", ["transfer far_end_disconnect"], "far_end_disconnect")
eq("transfer cond", "<form><transfer name='t' cond='false' bridge='true' dest='tel:1'/><block><exit expr='2'/></block></form>", [], 2)
eq("transfer destexpr undefined", "<form><transfer name='t' bridge='true' destexpr='nope'/><catch event='error.semantic'><exit expr='2'/></catch></form>", [], 2)
eq("record noinput reprompt", "<form><record name='r'><prompt>P</prompt><noinput>N<reprompt/></noinput></record><block><exit/></block></form>", ["silence",Said(text="x",seconds=1)], ["P", "N", "P"], get=lambda s: s.prompts)
eq("record filled form", "<form><record name='r'/><filled><exit expr='typeof r + r$.size'/></filled></form>", [Said(text="x",seconds=1)], True, get=lambda s: str(s.exit.value).startswith(("string", "object")))
eq("record dtmfterm termchar", "<form><record name='r' dtmfterm='true'><filled><exit expr='r$.termchar'/></filled></record></form>", [Pressed(keys="5",after=2)], "5")
eq("record hangup keeps", "<form><catch event='connection.disconnect.hangup'><submit next='x.pl' method='post' namelist='r' enctype='multipart/form-data'/></catch><record name='r'/></form>", [HungUp(after=3)], "r", more={"x.pl":vxml("<form/>")}, get=lambda s: s.requests[-1].parts[0][0])
eq("record expr skip", "<form><record name='r' expr='1'/><block><exit expr='r'/></block></form>", [], 1)
# properties misc
eq("property invalid bargein", "<form><property name='bargein' value='maybe'/><catch event='error.semantic'><exit expr='1'/></catch><block><prompt>x</prompt><exit expr='2'/></block></form>", [], 1)
eq("property invalid confidence", f"<form><property name='confidencelevel' value='high'/><catch event='error.semantic'><exit expr='1'/></catch><field name='f'>{AB}</field></form>", ["a"], 1)
eq("property unknown ignored", f"<form><property name='zz.foo' value='high'/><field name='f'>{AB}<filled><exit expr='1'/></filled></field></form>", ["a"], 1)
eq("property last of two wins", f"<form><property name='timeout' value='9s'/><property name='timeout' value='2s'/><field name='f'>{AB}<noinput><exit/></noinput></field></form>", ["silence"], 2.0, get=lambda s: s.seconds)
eq("property in root", f"<form><field name='f'>{AB}<noinput><exit/></noinput></field></form>", ["silence"], 3.0, attrs="application='root.vxml'", more={"root.vxml":vxml("<property name='timeout' value='3s'/>")}, get=lambda s: s.seconds)
eq("maxnbest sem", f"<form><property name='maxnbest' value='x'/><catch event='error.semantic'><exit expr='1'/></catch><field name='f'>{AB}</field></form>", ["a"], 1)
# timing
eq("termtimeout", "<form><property name='termtimeout' value='2s'/><field name='f' type='digits?length=2'><filled><exit/></filled></field></form>", ["keys 12"], True, get=lambda s: s.seconds>2)
eq("interdigit", "<form><property name='interdigittimeout' value='4s'/><field name='f' type='digits'><filled><exit/></filled></field></form>", ["keys 12"], True, get=lambda s: 4<s.seconds<5)
eq("completetimeout", f"<form><property name='completetimeout' value='2s'/><field name='f'>{AB}<filled><exit/></filled></field></form>", [Said(text="a",seconds=1)], 3.0, get=lambda s: round(s.seconds,2))
eq("incompletetimeout", f"<form><property name='incompletetimeout' value='3s'/><field name='f'>{AB}<nomatch><exit/></nomatch></field></form>", [Said(text="q",seconds=1)], 4.0, get=lambda s: round(s.seconds,2))
eq("noinput timeout after prompt", f"<form><field name='f'><prompt>one two three</prompt><prompt timeout='1s'/>{AB}<noinput><exit/></noinput></field></form>", ["silence"], True, get=lambda s: s.seconds>1.5)
eq("hotword prompt not cut by nomatch", f"<form><field name='f'><prompt bargeintype='hotword'>one two three four five six seven eight nine ten</prompt>{AB}<nomatch><exit expr='1'/></nomatch><noinput><exit expr='2'/></noinput></field></form>", [Said(text="zz",after=.5,seconds=.5)], 2)
# fetch timeouts
eq("fetchtimeout", "<form><catch event='error.badfetch'><exit expr='_event'/></catch><block><goto next='b.vxml' fetchtimeout='1s'/></block></form>", [], "error.badfetch", more={"b.vxml":vxml("<form/>")}, fetch_seconds=lambda r: 5.0 if r.url.endswith("b.vxml") else 0.0)
eq("fetchtimeout property", "<property name='fetchtimeout' value='1s'/><form><catch event='error.badfetch'><exit expr='_event'/></catch><block><submit next='b.vxml'/></block></form>", [], "error.badfetch", more={"b.vxml":vxml("<form/>")}, fetch_seconds=lambda r: 5.0 if r.url.endswith("b.vxml") else 0.0)
eq("fetchaudio heard", "<form><block>wait<goto next='b.vxml' fetchaudio='m.wav'/></block></form>", [], ["wait", "m.wav"], more={"b.vxml":vxml("<form/>"),"m.wav":"x"}, fetch_seconds=lambda r: 5.0 if r.url.endswith("b.vxml") else 0.0, get=lambda s: s.prompts)
eq("fetchaudio not heard if quick", "<form><block>wait<goto next='b.vxml' fetchaudio='m.wav'/></block></form>", [], ["wait"], more={"b.vxml":vxml("<form/>"),"m.wav":"x"}, get=lambda s: s.prompts)
eq("subdialog fetchaudio ok", "<form><subdialog name='s' src='b.vxml' fetchaudio='m.wav'><filled><exit expr='1'/></filled></subdialog></form>", [], 1, more={"b.vxml":vxml("<form><block><return/></block></form>")})
eq("choice fetchaudio", "<menu><choice next='b.vxml' fetchaudio='m.wav'>go</choice></menu>", ["go"], 1, more={"b.vxml":vxml("<form><block><exit expr='1'/></block></form>")})
eq("script expr in field cond", "<form><field name='f' cond='1 &gt; 2'/><block><exit expr='9'/></block></form>", [], 9)
eq("catch _event in nested throw", "<form><catch event='a'><throw event='b' messageexpr='_event'/></catch><catch event='b'><exit expr='_message'/></catch><block><throw event='a'/></block></form>", [], "a")
eq("xml cdata script", "<script><![CDATA[ function f(a,b){ return a < b && true } ]]></script><form><block><exit expr='f(1,2)'/></block></form>", [], True)
eq("comment in block", "<form><block><!-- c -->hi<!-- d --> there<exit/></block></form>", [], ["hi there"], get=lambda s: s.prompts)
eq("meta refresh etc ok", "<meta name='author' content='x'/><meta http-equiv='Expires' content='0'/><metadata><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/></metadata><form><block><exit expr='1'/></block></form>", [], 1)
# fmt: on


@pytest.mark.parametrize(("body", "deeds", "wanted", "attributes", "more", "get", "options"), CASES)
def test_a_sentence(
    body: str,
    deeds: Sequence[Any],
    wanted: object,
    attributes: str,
    more: Mapping[str, str],
    get: Callable[[Simulation], object],
    options: Mapping[str, Any],
) -> None:
    documents = {BASE + "start.vxml": vxml(body, attributes)}
    documents |= {BASE + name: text for name, text in more.items()}
    assert get(simulate(BASE + "start.vxml", deeds, documents=documents, **options)) == wanted
