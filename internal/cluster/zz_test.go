package cluster
import ("testing";"time";"testing/synctest")
func TestZZ(t *testing.T){
 b:=time.Now()
 for range 20 { newSite(t, plan{}) }
 t.Log("20 sites outside", time.Since(b))
 b=time.Now()
 for range 20 { synctest.Test(t, func(t *testing.T){ newSite(t,plan{})}) }
 t.Log("20 sites inside", time.Since(b))
 s:=newSite(t,plan{})
 b=time.Now()
 for i:=range 100 { s.claim(0, string(rune('a'+i%26))+string(rune('a'+i/26))) }
 t.Log("100 claims", time.Since(b))
}
