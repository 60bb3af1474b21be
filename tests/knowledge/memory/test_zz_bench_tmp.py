import random, statistics, time
import pytest
from django.db import connection
from gateway.knowledge.memory import services, recall as R
from gateway.knowledge.memory.types import RecallQuery
from tenants.context import scope
from tests.factories.organizations import acme, committed_database, globex, quiet
from tests.knowledge.memory.support import ALICE, new, person
WORDS=None
def words():
    rnd=random.Random(5)
    base="time year people way day man thing woman life child world school state family student group country problem hand part place case week company system program question work government number night point home water room mother area money story fact month lot right study book eye job word business issue side kind head house service friend father power hour game line end member law car city community name president team minute idea kid body information back parent face level office door health person art war history party result change morning reason research girl guy moment air teacher force education tea coffee berlin rome chess guitar running swimming peanut allergy doctor dentist birthday wedding holiday flight train hotel".split()
    return base+[f"w{rnd.randrange(10**6)}" for _ in range(3000)]
def text(rnd, w): 
    return " ".join(w[min(int(rnd.paretovariate(0.6)*3)%len(w),len(w)-1)] for _ in range(rnd.randint(8,25)))
def q(a, n): return sorted(a)[int(len(a)*n)]*1000
def test_bench(acme):
    rnd=random.Random(1); w=words()
    with scope(acme):
        others=[person(f"o{i}") for i in range(20)]
        for o in others:
            services.create_many([(o,new(text(rnd,w)+f" z{i}")) for i in range(1000)], actor=ALICE, limit_per_subject=None)
        for size in (1000,10000):
            ann=person(f"ann{size}")
            t=time.perf_counter()
            for c in range(size//1000):
                services.create_many([(ann,new(text(rnd,w)+f" u{c}x{i}")) for i in range(1000)], actor=ALICE, limit_per_subject=None)
            el=time.perf_counter()-t
            print(f"\ningest {size}: {size/el:.0f}/s")
            t=time.perf_counter()
            for i in range(200): services.create(ann,new(f"single one {size} {i}"),actor=ALICE,limit_per_subject=None)
            print(f"single: {200/(time.perf_counter()-t):.0f}/s")
            for analyzed in (False, True):
                if analyzed:
                    from django.db import connections
                    with connections["owner"].cursor() as c: 
                        c.execute(f'ANALYZE "{acme.schema}".memory'); c.execute(f'ANALYZE "{acme.schema}".memory_token'); c.execute(f'ANALYZE "{acme.schema}".memory_source')
                R._cache.clear()
                cold=[];hot=[];n=0
                for i in range(150):
                    query=RecallQuery(ann.pk," ".join(rnd.choice(w[:200]) for _ in range(8)), personas=("p",))
                    t=time.perf_counter(); r=R.recall(query); cold.append(time.perf_counter()-t); n+=len(r.memories)
                    t=time.perf_counter(); assert R.recall(query).cache_hit; hot.append(time.perf_counter()-t)
                print(f"size {size} analyzed={analyzed}: cold p50 {q(cold,.5):.2f} p95 {q(cold,.95):.2f} ms; hit p50 {q(hot,.5):.2f} p95 {q(hot,.95):.2f}; avg {n/150:.1f}")
            from gateway.core import clock
            vals={"subject":ann.pk,"query":"tea coffee berlin time people way","k":10,"now":clock.now(),"as_of":clock.now(),"known_at":"infinity","min_confidence":None,"personas":["p"]}
            st="EXPLAIN (ANALYZE,BUFFERS) "+R._STATEMENT.format(visible=R._ALWAYS+" AND "+R._IF_ASKED["personas"],k1=R.K1,b=R.B)
            with connection.cursor() as c:
                c.execute(st,vals); print("\n".join(r[0] for r in c.fetchall()))
